using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary>U+0000, which no text in PostgreSQL can hold: kept inside JSON, and refused as an id.</summary>
public sealed class ImpossibleTextTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    private const string Refusal = "An id or a filter of this request holds the character U+0000";

    private readonly TestServer _server = postgres.Server;

    [Fact]
    public async Task In_what_is_said_it_is_kept()
    {
        var session = await _server.NewSession();
        session.Model.Says("a \0 b");

        var turn = await session.Run("""{"type":"user.message","content":[{"type":"text","text":"\u0000"}]}""");

        Assert.Equal("\0", turn.Single(frame => frame.Name == "user.message").Json.Text("content.0.text"));
        Assert.Equal("a \0 b", turn.Single(frame => frame.Name == "agent.message").Json.Text("content.0.text"));
        Assert.Equal(
            ["\0", "a \0 b"],
            (await session.List("?types=user.message&types=agent.message")).EnumerateArray()
                .Select(@event => @event.Text("content.0.text")));
    }

    [Theory]
    [InlineData("/v1/sessions?agent_id=%00")]
    [InlineData("/v1/agents?page=page_YWdlbnRzfGRmfAA")]
    public async Task In_a_filter_it_is_refused(string path) => (await _server.Get(path)).Refused(400, Refusal);

    [Fact]
    public async Task In_a_filter_of_events_and_in_a_body_it_is_refused()
    {
        var session = await _server.NewSession();

        (await _server.Get($"{session.Path}/events?types=%00")).Refused(400, Refusal);
        var environment = await _server.NewEnvironment();
        (await _server.Post("/v1/sessions", $$"""{"agent":"\u0000","environment_id":"{{environment}}"}"""))
            .Refused(400, Refusal);
        (await _server.Post("/v1/sessions", $$"""{"agent":"{{session.AgentId}}","environment_id":"\u0000"}"""))
            .Refused(400, Refusal);
    }
}
