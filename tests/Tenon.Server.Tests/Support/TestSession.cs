using System.Text.Json;
using Xunit;

namespace Tenon.Server.Tests.Support;

/// <summary>A session of a <see cref="TestServer"/>, with what a test does to it.</summary>
public sealed record TestSession(TestServer Server, JsonElement Created, ScriptedModel Model)
{
    public string Id => Created.Text("id");

    public string Path => $"/v1/sessions/{Id}";

    public string ModelName => Created.Text("agent.model.id");

    public string AgentId => Created.Text("agent.id");

    /// <summary>The answer to sending these events, each given as JSON.</summary>
    public Task<Answer> Post(params string[] events) =>
        Server.Post($"{Path}/events", $$"""{"events":[{{string.Join(',', events)}}]}""");

    /// <summary>The echoed events.</summary>
    public async Task<JsonElement> Send(params string[] events) => (await Post(events)).Ok().At("data");

    public static string Says(string text) => JsonSerializer.Serialize(new
    {
        type = "user.message",
        content = new[] { new { type = "text", text } },
    });

    public static string Interrupts => """{"type":"user.interrupt"}""";

    public static string Confirms(string callId, string result, string? denyMessage = null) =>
        $$"""{"type":"user.tool_confirmation","tool_use_id":"{{callId}}","result":"{{result}}"{{
            (denyMessage is null ? "" : $",\"deny_message\":\"{denyMessage}\"")}}}""";

    public static string AnswersCall(string callId, string text) =>
        $$"""
        {"type":"user.custom_tool_result","custom_tool_use_id":"{{callId}}",
         "content":[{"type":"text","text":"{{text}}"}]}
        """;

    public static string AnswersTool(string callId, string text) =>
        $$"""{"type":"user.tool_result","tool_use_id":"{{callId}}","content":[{"type":"text","text":"{{text}}"}]}""";

    public async Task<JsonElement> Get() => (await Server.Get(Path)).Ok();

    public async Task<JsonElement> List(string query = "") =>
        (await Server.Get($"{Path}/events{query}")).Ok().At("data");

    public async Task<IReadOnlyList<string>> Types() => (await List()).Texts("type");

    /// <summary>Completes when the session rests.</summary>
    public async Task UntilIdle(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TestStream.Patience);
        while ((await Get()).Text("status") != "idle")
        {
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Opens a stream; it is open when this completes.</summary>
    public Task<TestStream> Stream(string query = "", string? lastEventId = null) =>
        TestStream.Open(Server.Client, $"{Path}/events/stream{query}", lastEventId);

    /// <summary>Sends the events, and answers the session's events from there until it is idle.</summary>
    public async Task<IReadOnlyList<StreamEvent>> Run(params string[] events)
    {
        await using var stream = await Stream();
        await Send(events);
        return await stream.Until("session.status_idle");
    }

    /// <summary>Runs to the point where calls wait, and answers their ids.</summary>
    public async Task<IReadOnlyList<string>> RunUntilItAsks(params string[] events)
    {
        var idle = (await Run(events))[^1].Json;
        Assert.Equal("requires_action", idle.Text("stop_reason.type"));
        return [.. idle.At("stop_reason.event_ids").EnumerateArray().Select(id => id.GetString()!)];
    }
}
