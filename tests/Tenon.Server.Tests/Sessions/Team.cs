using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>A session whose agent has others to call upon, each with a scripted model of its own.</summary>
internal sealed record Team(TestSession Session, IReadOnlyDictionary<string, ScriptedModel> Models)
{
    public ScriptedModel this[string agent] => Models[agent];

    public TestServer Server => Session.Server;

    /// <summary>
    /// A coordinator with the agents named, which have these tools. <paramref name="rest"/> stands in the roster beside
    /// them.
    /// </summary>
    public static async Task<Team> Start(
        TestServer server, string[] agents, string tools = "[]", string fields = "", string rest = "")
    {
        var models = new Dictionary<string, ScriptedModel>();
        var members = new List<string>();
        foreach (var name in agents)
        {
            var model = $"{name}-{Guid.NewGuid():N}";
            models.Add(name, server.Models.Of(model));
            var made = (await server.Post("/v1/agents",
                $$"""{"name":"{{name}}","model":"{{model}}","tools":{{tools}},"description":"The {{name}}."}""")).Ok();
            members.Add($$"""{"type":"agent","id":"{{made.Text("id")}}"}""");
        }

        var coordinator = $"coordinator-{Guid.NewGuid():N}";
        var entries = string.Join(',', rest.Length > 0 ? members.Append(rest) : members);
        var agentId = await server.NewAgent(
            coordinator, $$"""
            "tools":{{tools}},"multiagent":{"type":"coordinator","agents":[{{entries}}]}
            """);
        return new Team(await server.NewSessionOf(coordinator, agentId, fields), models);
    }

    public static string Gives(string agent, string message) =>
        JsonSerializer.Serialize(new { agent, message });

    public static string Writes(string threadId, string message) =>
        JsonSerializer.Serialize(new { thread_id = threadId, message });

    public async Task<IReadOnlyList<JsonElement>> Threads() =>
        [.. (await Server.Get($"{Session.Path}/threads")).Ok().At("data").EnumerateArray()];

    /// <summary>The only thread of this agent.</summary>
    public async Task<JsonElement> Thread(string agent) => (await Threads()).Single(thread =>
        thread.At("agent").TryGetProperty("name", out var name) && name.GetString() == agent);

    /// <summary>The thread of this agent, once its model has been asked and all before that is in the log.</summary>
    public async Task<JsonElement> Working(string agent, CancellationToken cancellationToken)
    {
        await Models[agent].Asked(cancellationToken);
        await using var stream = await Session.Stream("", "0");
        while ((await stream.Until("session.thread_status_running"))[^1].Json.Text("agent_name") != agent)
        {
        }

        return await Thread(agent);
    }

    /// <summary>Completes when the coordinator has ended its turn, so that what comes now starts another.</summary>
    public async Task Resting()
    {
        await using var stream = await Session.Stream("", "0");
        while ((await stream.Until("session.thread_status_idle"))[^1].Json.Text("agent_name") != "tester")
        {
        }
    }

    /// <summary>
    /// Runs a turn in which this agent says its text after the coordinator has ended its own; what the session's stream
    /// showed of it.
    /// </summary>
    public async Task<IReadOnlyList<StreamEvent>> Run(string message, string agent, string text)
    {
        var gate = Models[agent].SaysWhenReleased(text);
        await using var stream = await Session.Stream();
        await Session.Send(TestSession.Says(message));
        var events = new List<StreamEvent>();
        do
        {
            events.AddRange(await stream.Until("session.thread_status_idle"));
        }
        while (events[^1].Json.Text("agent_name") != "tester");
        gate.SetResult();
        return [.. events, .. await stream.Until("session.status_idle")];
    }

    public async Task<JsonElement> Events(string threadId) =>
        (await Server.Get($"{Session.Path}/threads/{threadId}/events")).Ok().At("data");

    /// <summary>What the model was told in its last request, as text.</summary>
    public static string Told(ScriptedModel model) => JsonSerializer.Serialize(
        model.Requests.Last().Messages.SelectMany(message => message.Content).OfType<Tenon.Server.Models.ModelText>()
            .Select(text => text.Text));
}
