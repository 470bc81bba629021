using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Http;

/// <summary>Lists and their pages (api 0.4), on a server that holds nothing else.</summary>
public abstract class ListTests(TestServer server) : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await server.StartEmpty();

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("/v1/agents", """{"name":"n","model":"m"}""")]
    [InlineData("/v1/environments", """{"name":"n"}""")]
    public async Task Pages_go_from_the_newest_to_the_oldest_and_the_last_has_no_cursor(string path, string body)
    {
        JsonAssert.Equal("""{"data":[],"next_page":null}""", (await _server.Get(path)).Ok());
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            made.Insert(0, (await _server.Post(path, body)).Ok().Text("id"));
        }

        Assert.Equal([made[..2], made[2..4], made[4..]], await Walk($"{path}?limit=2"));
        Assert.Equal([made], await Walk($"{path}?limit=5"));
        Assert.Equal([made], await Walk(path));
    }

    [Theory]
    [InlineData("/v1/agents", """{"name":"n","model":"m"}""")]
    [InlineData("/v1/environments", """{"name":"n"}""")]
    public async Task What_is_archived_is_listed_only_when_asked_for(string path, string body)
    {
        var kept = (await _server.Post(path, body)).Ok().Text("id");
        var archived = (await _server.Post(path, body)).Ok().Text("id");
        await _server.Post($"{path}/{archived}/archive");

        Assert.Equal([[kept]], await Walk(path));
        Assert.Equal([[kept]], await Walk($"{path}?include_archived=false"));
        Assert.Equal([[archived, kept]], await Walk($"{path}?include_archived=true"));
    }

    [Fact]
    public async Task Agents_are_found_by_when_they_were_made()
    {
        var times = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            times.Add((await _server.Post("/v1/agents", """{"name":"n","model":"m"}""")).Ok().Text("created_at"));
        }

        async Task<int> Count(string query) =>
            (await _server.Get($"/v1/agents?{query}")).Ok().At("data").GetArrayLength();
        Assert.Equal(2, await Count($"created_at%5Bgte%5D={times[1]}"));
        Assert.Equal(2, await Count($"created_at[lte]={times[1]}"));
        Assert.Equal(1, await Count($"created_at[gt]={times[1]}"));
        Assert.Equal(1, await Count($"created_at[gte]={times[1]}&created_at[lte]={times[1]}"));
    }

    [Fact]
    public async Task An_agents_versions_are_paged()
    {
        var path = $"/v1/agents/{await _server.NewAgent()}";
        for (var i = 2; i <= 5; i++)
        {
            await _server.Post(path, $$"""{"name":"version {{i}}"}""");
        }

        var pages = await Pages($"{path}/versions?limit=2");

        Assert.Equal(
            [[5, 4], [3, 2], [1]],
            pages.Select(page => page.EnumerateArray().Select(agent => agent.At("version").GetInt32())));
    }

    private async Task<List<List<string>>> Walk(string path) =>
        (await Pages(path)).ConvertAll(page => page.Texts("id").ToList());

    private async Task<List<JsonElement>> Pages(string path)
    {
        var pages = new List<JsonElement>();
        string? cursor = null;
        do
        {
            var separator = path.Contains('?', StringComparison.Ordinal) ? '&' : '?';
            var page = (await _server.Get(cursor is null ? path : $"{path}{separator}page={cursor}")).Ok();
            Assert.Equal(["data", "next_page"], page.Names());
            pages.Add(page.At("data"));
            cursor = page.At("next_page").GetString();
        }
        while (cursor is not null);

        return pages;
    }
}
