using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using System.Text.Json;
using Tenon.Server.Billing;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Sandboxes;
using Tenon.Server.Sessions;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Tenon.Server.Tools;
using Tenon.Server.Workflows;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;
using Tenon.Wire;
using Xunit;

namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// One run: a real owner with a real turn, and around it a log, a model, a sandbox, a client and a clock that do one
/// thing at a time, in an order that follows from a seed. Between any two of them the process may die.
/// </summary>
internal sealed class World : ISessionHost
{
    /// <summary>Far above what a run needs: reaching it means that the session goes in circles.</summary>
    private const int StepsMax = 20_000;

    /// <summary>One step in so many is an interrupt out of the blue, or the end of the sandbox.</summary>
    private const int ChaosEvery = 200;

    /// <summary>Time that passes while nothing happens before the session counts as stuck.</summary>
    private static readonly TimeSpan StuckTime = TimeSpan.FromMinutes(10);

    // No simulated model asks for the web.
    private static readonly WebLab NoWeb = new();

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
    private readonly List<TaskCompletionSource> _gates = [];
    private readonly SimulatedModel _model;
    private readonly SimulatedSandboxes _sandboxes;
    private readonly SimulatedClient _client;
    private readonly IReadOnlySet<int> _crashes;
    private readonly Scenario _scenario;
    private SimulatedScheduler _scheduler = null!;
    private Task<SessionOwner> _owner = null!;

    /// <param name="scenario">What happens.</param>
    /// <param name="order">The seed of the order in which it happens.</param>
    /// <param name="crashes">The steps before which the process dies.</param>
    public World(Scenario scenario, int order, IReadOnlySet<int> crashes)
    {
        (_scenario, Random, _crashes) = (scenario, new Random(order), crashes);
        (_model, _sandboxes) = (new SimulatedModel(scenario, this), new SimulatedSandboxes(scenario, this));
        (_client, Mcp) = (new SimulatedClient(scenario, this), new SimulatedMcp(this));
        (Log, Ids) = (new SimulatedLog(this), new IdSource(_clock));
        Start();
    }

    public Random Random { get; }

    public SimulatedLog Log { get; }

    public IdSource Ids { get; }

    public SimulatedSandboxes Sandboxes => _sandboxes;

    public SimulatedMcp Mcp { get; }

    public SimulatedClient Client => _client;

    public int Steps { get; private set; }

    /// <summary>Messages that the client has to send.</summary>
    public int Messages => _scenario.Messages.Count;

    /// <summary>The log as a new owner would know it.</summary>
    public History Folded() => Session().Primary.History;

    /// <summary>The whole log as a new owner would know it.</summary>
    public SessionLog Session()
    {
        var log = new EventLog(Log, new Feed(_clock), NullLogger<EventLog>.Instance, new SimulatedScheduler());
        var session = new SessionLog(log, Record().Id, Record().ThreadId, Ids, _clock)
        {
            Agent = () => Definition.Agent,
            Prices = Prices.Default,
            Row = (_, _, _) => throw new InvalidOperationException("Nothing is appended any more."),
        };
        session.Load(CancellationToken.None).GetAwaiter().GetResult();
        return session;
    }

    /// <summary>Runs until the client has what it came for and the session rests.</summary>
    public void Run()
    {
        var quiet = TimeSpan.Zero;
        for (; Steps < StepsMax; Steps++)
        {
            if (_crashes.Contains(Steps))
            {
                Crash();
            }

            if (Step())
            {
                quiet = TimeSpan.Zero;
            }
            else if (_client.IsDone)
            {
                return;
            }
            else if (quiet > StuckTime)
            {
                throw new InvalidOperationException("Nothing happens any more, and the client still waits.");
            }
            else
            {
                _clock.Advance(TimeSpan.FromSeconds(1));
                quiet += TimeSpan.FromSeconds(1);
            }
        }

        throw new InvalidOperationException($"The session has not come to rest in {StepsMax} steps.");
    }

    /// <summary>Completes when it is this one's turn; never, when its owner has crashed meanwhile.</summary>
    public async Task Pass(CancellationToken cancellationToken)
    {
        var gate = new TaskCompletionSource();
        _gates.Add(gate);
        await using var cancelled = cancellationToken.UnsafeRegister(_ =>
        {
            _gates.Remove(gate);
            gate.TrySetCanceled(cancellationToken);
        }, null);
        await gate.Task;
    }

    /// <summary>Sends a batch as a request does.</summary>
    public Task<string> Send(IReadOnlyList<SessionEvent> events)
    {
        var opening = _owner;
        return _scheduler.Start(async () => await (await opening).Send(events));
    }

    /// <summary>A receipt may only go when the result is on disk.</summary>
    public void CheckDurable(string callId)
    {
        if (!SimulatedRuns.IsOfGrader(callId))
        {
            Assert.Contains(Log.Events, @event => @event is AgentToolResult result && result.ToolUseId == callId);
        }
    }

    public void Hold()
    {
    }

    public void Release()
    {
    }

    public void Drop() => throw new InvalidOperationException("The owner gave up, though nothing failed.");

    public void Lose(Exception cause) => throw new InvalidOperationException("The owner lost its log.", cause);

    /// <summary>One thing happens, of those that can. False when nothing can.</summary>
    private bool Step()
    {
        var can = new List<Action>();
        Add(_scheduler.IsReady, _scheduler.RunOne);
        Add(_gates.Count > 0, OpenGate);
        Add(_sandboxes.CanProgress, _sandboxes.Progress);
        Add(_client.CanAct, _client.Act);
        if (can.Count == 0)
        {
            return false;
        }

        if (_scenario.IsChaotic && Random.Next(ChaosEvery) == 0)
        {
            ((Action)(Random.Next(2) == 0 ? _sandboxes.Die : _client.Interrupt))();
        }
        else
        {
            can[Random.Next(can.Count)]();
        }

        return true;

        void Add(bool isPossible, Action happen)
        {
            if (isPossible)
            {
                can.Add(happen);
            }
        }
    }

    private void OpenGate()
    {
        var gate = _gates[Random.Next(_gates.Count)];
        _gates.Remove(gate);
        gate.SetResult();
    }

    /// <summary>The process dies and starts again: an owner of the same log, and nothing else that it knew.</summary>
    private void Crash()
    {
        Log.Crash(Random);
        _gates.Clear();
        _client.LoseConnection();
        Start();
    }

    private void Start()
    {
        _scheduler = new SimulatedScheduler();
        _owner = _scheduler.Start(async () =>
        {
            var feed = new Feed(_clock);
            var log = new EventLog(Log, feed, NullLogger<EventLog>.Instance, TaskScheduler.Current);
            var services = new SessionServices(
                log, feed, _model, _sandboxes, NoWeb.Tools, Mcp, NoMedia, _ => Task.FromResult<string?>(null),
                RunPlan,
                (_, _) => Task.FromResult<IReadOnlyList<UnreachableCredential>>([]),
                new Limits(), Prices.Default, Ids, _clock);
            var owner = new SessionOwner(Record(), services, this, NullLogger.Instance, CancellationToken.None);
            await owner.Load(CancellationToken.None);
            if (Record().Status is SessionStatus.Running or SessionStatus.Rescheduling)
            {
                owner.Wake();
            }

            return owner;
        });
    }

    // At once, so that the order of all that happens follows from the seed.
    private static Task<PlanRun> RunPlan(WorkflowRun run) => Task.FromResult(PlanProgram.Run(
        run.Plan.Program, [.. run.Plan.Phases.Select(phase => phase.Name)], run.Results, new PlanLimits()));

    private static Task<ContentBlock> NoMedia(string sessionId, ToolMedia media, CancellationToken cancelled) =>
        throw new NotSupportedException("A simulated sandbox shows no pictures.");

    private SessionRecord Record() => Log.Row is { } row ? SessionRecord.From(row) : new SessionRecord
    {
        Id = "sesn_1",
        ThreadId = "sthr_1",
        CreatedAt = _clock.GetUtcNow(),
        EnvironmentId = "env_1",
        Status = SessionStatus.Idle,
        State = new SessionState { SavedAt = _clock.GetUtcNow() },
        Definition = Definition,
    };

    /// <summary>What the session was made with.</summary>
    public SessionDefinition Definition =>
        _scenario.IsTeam ? SimulatedTeam.Definition : new SessionDefinition { Agent = Agent };

    private static PermissionPolicy Ask { get; } = new() { Type = PermissionPolicy.AlwaysAsk };

    private static SessionAgent Agent { get; } = new()
    {
        Id = "agent_1",
        Version = 1,
        Name = "simulated",
        Model = new ModelConfig { Id = "simulated" },
        McpServers =
        [
            new McpServer { Type = "url", Name = SimulatedMcp.Server, Url = "https://remote.test/mcp" },
        ],
        Tools =
        [
            new AgentToolset
            {
                Configs =
                [
                    new ToolConfig { Name = "write", PermissionPolicy = Ask },
                    new ToolConfig { Name = "grep", Enabled = false },
                ],
            },
            new McpToolset
            {
                McpServerName = SimulatedMcp.Server,
                DefaultConfig = new ToolDefaults
                {
                    PermissionPolicy = new PermissionPolicy { Type = PermissionPolicy.AlwaysAllow },
                },
            },
            new CustomTool
            {
                Name = "lookup",
                Description = "Looks it up.",
                InputSchema = JsonElement.Parse("""{"type":"object"}"""),
            },
        ],
    };
}
