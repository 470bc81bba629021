using System.Collections.Concurrent;
using System.Text.Json;
using Anthropic;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

[assembly: AssemblyFixture(typeof(Lab))]

namespace Tenon.Conformance.Support;

/// <summary>
/// One server for all tests that do not kill it, and a scripted model service behind it. Every script is a model of its
/// own name, so tests do not see each other.
/// </summary>
public sealed class Lab : IAsyncLifetime
{
    private readonly AnthropicService _service = new();
    private readonly ConcurrentDictionary<string, ModelScript> _scripts = new();
    private int _names;

    public ServerProcess Server { get; private set; } = null!;

    public AnthropicClient Client { get; private set; } = null!;

    public string EnvironmentId { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        _service.Responder = body => _scripts[body.GetProperty("model").GetString()!].Answer(body);
        Server = await ServerProcess.Start(_service.Url);
        Client = Server.Client();
        EnvironmentId = (await Client.Beta.Environments.Create(new EnvironmentCreateParams { Name = "lab" })).ID;
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (Server is not null)
        {
            await Server.DisposeAsync();
        }

        await _service.DisposeAsync();
    }

    /// <summary>A new model that gives these answers, in this order.</summary>
    public ModelScript Model(params Reply[] replies)
    {
        var script = new ModelScript($"claude-script-{Interlocked.Increment(ref _names)}", replies);
        _scripts[script.Name] = script;
        return script;
    }

    public Task<BetaManagedAgentsAgent> Agent(ModelScript model, params AgentTool[] tools) => Client.Beta.Agents.Create(
        new AgentCreateParams
        {
            Name = "lab agent",
            Model = new BetaManagedAgentsModelConfigParams { ID = model.Name },
            System = "You are a test.",
            Tools = tools,
        });

    /// <summary>A new agent of this name, for the roster of another one or with a roster of its own.</summary>
    public Task<BetaManagedAgentsAgent> Agent(
        string name, ModelScript model, BetaManagedAgentsMultiagentParams? roster = null, params AgentTool[] tools) =>
        Client.Beta.Agents.Create(new AgentCreateParams
        {
            Name = name,
            Model = new BetaManagedAgentsModelConfigParams { ID = model.Name },
            System = $"You are {name}.",
            Multiagent = roster,
            Tools = tools,
        });

    /// <summary>A new session of a new agent with this model.</summary>
    public async Task<LabSession> Session(ModelScript model, params AgentTool[] tools) =>
        await Session(await Agent(model, tools));

    public async Task<LabSession> Session(BetaManagedAgentsAgent agent)
    {
        var session = await Client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = EnvironmentId, Agent = agent.ID });
        return new LabSession(Client, session.ID);
    }
}

/// <summary>What one model answers, in order, and what it was asked.</summary>
public sealed class ModelScript(string name, IEnumerable<Reply> replies)
{
    private readonly ConcurrentQueue<Reply> _replies = new(replies);
    private readonly ConcurrentQueue<JsonElement> _requests = [];
    private Reply _otherwise = Reply.Error(400, "invalid_request_error", "empty script");

    public string Name => name;

    /// <summary>The bodies of the requests so far, oldest first.</summary>
    public IReadOnlyList<JsonElement> Requests => [.. _requests];

    /// <summary>
    /// Answers this whenever nothing is left: for one that is asked as often as it happens, such as an agent that is
    /// told what others have done.
    /// </summary>
    public ModelScript Otherwise(Reply reply)
    {
        _otherwise = reply;
        return this;
    }

    internal Reply Answer(JsonElement body)
    {
        _requests.Enqueue(body);
        return _replies.TryDequeue(out var reply) ? reply : _otherwise;
    }
}
