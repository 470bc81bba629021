using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Anthropic.Models.Beta.Agents;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>A fork, which the SDK has no method for; what comes of it is a session like any other.</summary>
public sealed class ForkTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_forked_session_is_listed_read_and_sent_to_with_the_SDK()
    {
        var model = lab.Model(
            Reply.ToolUse("bash", new { command = "echo of the first > note" }), Reply.Text("Kept."),
            Reply.ToolUse("bash", new { command = "cat note" }), Reply.Text("It is there."));
        var session = await lab.Session(model, new BetaManagedAgentsAgentToolset20260401Params());
        await session.Turn(Events.Message("Keep a note."));
        var told = await session.History();

        var fork = new LabSession(lab.Client, await Fork(session.Id));

        Assert.Equal("idle", (await fork.Get()).Status.Raw());
        Assert.Equal(told.Select(Id), (await fork.History()).Select(Id));
        var turn = await fork.Turn(Events.Message("What does the note say?"));
        Assert.Equal("of the first",
            turn.Single(@event => @event.Type() == "agent.tool_result").GetProperty("content")[0].GetProperty("text")
                .GetString());
        Assert.Equal(told.Count, (await session.History()).Count);
    }

    [Fact]
    public async Task A_fork_from_an_unknown_event_is_refused()
    {
        var session = await lab.Session(lab.Model());

        using var refused = await Post(session.Id, new { event_id = "sevt_none" });

        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
    }

    private static string? Id(JsonElement @event) => @event.GetProperty("id").GetString();

    private async Task<string> Fork(string sessionId)
    {
        using var made = await Post(sessionId, new { title = "the other way" });
        made.EnsureSuccessStatusCode();
        return (await made.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("id").GetString()!;
    }

    private async Task<HttpResponseMessage> Post(string sessionId, object body)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Add("X-Api-Key", ServerProcess.ApiKey);
        return await http.PostAsJsonAsync($"{lab.Server.Url}/v1/sessions/{sessionId}/fork", body, Cancellation);
    }
}
