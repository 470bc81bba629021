using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>The list of files in its two forms (api 0.4, A.12).</summary>
public sealed class FileListTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_list_is_newest_first_and_pages_to_its_end()
    {
        await using var server = await TestServer.Start();
        var made = await Make(server, 5);

        var first = (await server.Get("/v1/files?limit=2")).Ok();
        var second = (await server.Get($"/v1/files?limit=2&page={first.Text("next_page")}")).Ok();
        var third = (await server.Get($"/v1/files?limit=2&page={second.Text("next_page")}")).Ok();

        Assert.Equal(["data", "next_page"], first.Names());
        Assert.Equal(made, [.. Ids(first), .. Ids(second), .. Ids(third)]);
        Assert.Equal(JsonValueKind.Null, third.At("next_page").ValueKind);
        (await server.Get("/v1/files?limit=1001")).Refused(400, "limit: '1001' is not a number from 1 to 1000.");
        (await server.Get("/v1/files?page=page_x")).Refused(400, "page: this cursor does not belong to this list.");
    }

    [Fact]
    public async Task Clients_of_the_older_version_walk_the_list_by_ids_in_both_directions()
    {
        await using var server = await TestServer.Start();
        var made = await Make(server, 5);

        var first = await Older(server, "?limit=2");
        var second = await Older(server, $"?limit=2&after_id={first.Text("last_id")}");
        var last = await Older(server, $"?limit=2&after_id={second.Text("last_id")}");
        var back = await Older(server, $"?limit=2&before_id={last.Text("first_id")}");

        Assert.Equal(["data", "has_more", "first_id", "last_id"], first.Names());
        Assert.Equal(made, [.. Ids(first), .. Ids(second), .. Ids(last)]);
        Assert.Equal(
            (true, true, false, true), (More(first), More(second), More(last), More(back)));
        Assert.Equal(Ids(second), Ids(back));
        Assert.Equal((made[0], made[1]), (first.Text("first_id"), first.Text("last_id")));
        var none = await Older(server, $"?before_id={made[0]}");
        JsonAssert.Equal("""{"data":[],"has_more":false,"first_id":null,"last_id":null}""", none);
    }

    [Fact]
    public async Task Files_that_are_named_come_on_one_page_and_misses_are_left_out()
    {
        await using var server = await TestServer.Start();
        var made = await Make(server, 3);

        var found = (await server.Get($"/v1/files?ids[]={made[2]}&ids[]=file_x&ids[]={made[0]}&ids[]={made[0]}")).Ok();

        Assert.Equal([made[0], made[2]], Ids(found));
        Assert.Equal(JsonValueKind.Null, found.At("next_page").ValueKind);
        (await server.Get($"/v1/files?ids[]={made[0]}&limit=5")).Refused(400, "ids: cannot be combined with");
        (await server.Get($"/v1/files?ids[]={made[0]}&page=page_x")).Refused(400, "ids: cannot be combined with");
        var many = string.Join('&', Enumerable.Range(0, 101).Select(i => $"ids[]=file_{i}"));
        (await server.Get($"/v1/files?{many}")).Refused(400, "ids: at most 100 are allowed.");
    }

    private static async Task<IReadOnlyList<string>> Make(TestServer server, int count)
    {
        var made = new List<string>();
        for (var i = 0; i < count; i++)
        {
            made.Insert(0, await server.NewFile($"{i}"));
        }

        return made;
    }

    private static async Task<JsonElement> Older(TestServer server, string query)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/files" + query);
        request.Headers.Add("anthropic-version", "2023-06-01");
        using var response = await server.Client.SendAsync(request, Cancelled);
        return (await Answer.Read(response, Cancelled)).Ok();
    }

    private static IReadOnlyList<string> Ids(JsonElement page) => page.At("data").Texts("id");

    private static bool More(JsonElement page) => page.At("has_more").GetBoolean();
}
