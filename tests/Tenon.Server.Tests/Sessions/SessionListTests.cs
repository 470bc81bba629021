using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Listing sessions: filters, order, and pages in both directions.</summary>
public abstract class SessionListTests(TestServer server)
{
    [Fact]
    public async Task Pages_can_be_walked_forwards_and_back_in_either_order()
    {
        var (agentId, made) = await MakeSessions(5);
        foreach (var (order, expected) in new[] { ("desc", made.AsEnumerable().Reverse().ToList()), ("asc", made) })
        {
            var path = $"/v1/sessions?agent_id={agentId}&limit=2&order={order}";
            var first = (await server.Get(path)).Ok();
            var second = await Follow(path, first, "next_page");
            var third = await Follow(path, second, "next_page");
            var back = await Follow(path, third, "prev_page");
            var start = await Follow(path, back, "prev_page");

            Assert.Equal([expected[..2], expected[2..4], expected[4..]], new[] { first, second, third }.Select(Ids));
            Assert.Equal([expected[2..4], expected[..2]], new[] { back, start }.Select(Ids));
            Assert.Equal((JsonValueKind.Null, JsonValueKind.String), Cursors(first));
            Assert.Equal((JsonValueKind.String, JsonValueKind.String), Cursors(second));
            Assert.Equal((JsonValueKind.String, JsonValueKind.Null), Cursors(third));
            Assert.Equal((JsonValueKind.Null, JsonValueKind.String), Cursors(start));
        }
    }

    [Fact]
    public async Task The_newest_come_first_and_the_last_page_has_no_cursor()
    {
        var (agentId, made) = await MakeSessions(2);

        var page = (await server.Get($"/v1/sessions?agent_id={agentId}&limit=2")).Ok();

        Assert.Equal(made.AsEnumerable().Reverse(), Ids(page));
        Assert.Equal(["data", "next_page", "prev_page"], page.Names());
        Assert.Equal((JsonValueKind.Null, JsonValueKind.Null), Cursors(page));
    }

    [Fact]
    public async Task Sessions_are_found_by_agent_version_time_and_status()
    {
        var (agentId, made) = await MakeSessions(3);
        await server.Post($"/v1/agents/{agentId}", """{"name":"second"}""");
        var newest = await server.NewSessionOf("list", agentId);
        await server.Post($"{newest.Path}/archive");
        var second = (await server.Get($"/v1/sessions/{made[1]}")).Ok().Text("created_at");

        Assert.Equal([newest.Id], await List($"agent_version=2&include_archived=true"));
        Assert.Equal([made[2], made[1], made[0]], await List("agent_version=1"));
        Assert.Equal([made[2], made[1], made[0]], await List("statuses[]=idle&statuses[]=running"));
        Assert.Equal([newest.Id], await List("statuses=terminated&include_archived=true"));
        Assert.Empty(await List("statuses=terminated"));
        Assert.Empty(await List("statuses=rescheduling"));
        Assert.Equal([made[2], made[1]], await List($"created_at[gte]={second}"));
        Assert.Equal([made[2]], await List($"created_at[gt]={second}"));
        Assert.Equal([made[1], made[0]], await List($"created_at[lte]={second}"));
        Assert.Equal([made[0]], await List($"created_at[lt]={second}"));
        Assert.Equal([newest.Id, made[2], made[1], made[0]], await List("include_archived=true"));
        Assert.Equal([made[2], made[1], made[0]], await List(""));

        async Task<IReadOnlyList<string>> List(string query) =>
            Ids((await server.Get($"/v1/sessions?agent_id={agentId}&{query}")).Ok());
    }

    [Fact]
    public async Task A_cursor_is_refused_with_a_filter_that_excludes_its_place_and_survives_the_sessions_deletion()
    {
        var (agentId, made) = await MakeSessions(3);
        var path = $"/v1/sessions?agent_id={agentId}&limit=1";
        var page = (await server.Get(path)).Ok();
        var at = page.Text("data.0.created_at");
        var cursor = page.Text("next_page");
        (await server.Delete($"/v1/sessions/{made[2]}")).Ok();

        Assert.Equal([made[1]], Ids((await server.Get($"{path}&page={cursor}")).Ok()));
        Assert.Equal([made[1]], Ids((await server.Get($"{path}&page={cursor}&created_at[lte]={at}")).Ok()));
        foreach (var filter in new[] { $"created_at[lt]={at}", $"created_at[gt]={at}" })
        {
            (await server.Get($"{path}&page={cursor}&{filter}")).Refused(
                400, "page: the created_at filter excludes the place of this cursor.");
        }
    }

    private async Task<JsonElement> Follow(string path, JsonElement page, string cursor) =>
        (await server.Get($"{path}&page={page.Text(cursor)}")).Ok();

    private async Task<(string AgentId, List<string> Made)> MakeSessions(int count)
    {
        var agentId = await server.NewAgent("list");
        var made = new List<string>();
        for (var i = 0; i < count; i++)
        {
            made.Add((await server.NewSessionOf("list", agentId)).Id);
        }

        return (agentId, made);
    }

    private static IReadOnlyList<string> Ids(JsonElement page) => page.At("data").Texts("id");

    private static (JsonValueKind Prev, JsonValueKind Next) Cursors(JsonElement page) =>
        (page.At("prev_page").ValueKind, page.At("next_page").ValueKind);
}
