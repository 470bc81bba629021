using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using System.Collections;
using System.Text.Json;
using Tenon.Server.Billing;
using Tenon.Server.Configuration;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Server.Tools;
using Tenon.Wire;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Tests.Support;

/// <summary>One session with a real log and a real sandbox, a scripted model and a clock that the test moves.</summary>
public sealed class TurnWorld : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly OwnedDatabase _database;
    private readonly EventLog _log;
    private readonly SandboxProvider _sandboxes;
    private readonly IdSource _ids;
    private readonly string _sessionId;
    private readonly IModel _model;
    private bool _isTakenOver;

    public TurnWorld(params AgentTool[] tools)
        : this(null, null, tools)
    {
    }

    /// <param name="model">The model to ask; null takes the scripted one.</param>
    /// <param name="tools">The agent's tools; none takes the whole toolset.</param>
    public TurnWorld(IModel? model, params AgentTool[] tools)
        : this(model, null, tools)
    {
    }

    /// <param name="postgres">The connection string of its database; null takes SQLite.</param>
    public TurnWorld(IModel? model, string? postgres, params AgentTool[] tools)
    {
        _model = model ?? Model;
        _database = new OwnedDatabase(_folder.Path, postgres);
        Feed = new Feed(Clock);
        _log = new EventLog(_database.Log, Feed, NullLogger<EventLog>.Instance);
        _ids = new IdSource(Clock);
        _sessionId = _ids.Next(IdPrefix.Session);
        _sandboxes = new SandboxProvider(
            SettingsReader.Read(["--data", _folder.Path], new Hashtable()).Sandbox, TimeProvider.System);
        Agent = new SessionAgent
        {
            Id = "agent_1",
            Version = 1,
            Name = "tester",
            Model = new ModelConfig { Id = "scripted" },
            Tools = tools.Length > 0 ? tools : [new AgentToolset()],
        };
        Log = NewOwner();
    }

    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));

    public ScriptedModel Model { get; } = new();

    public Feed Feed { get; }

    public SessionAgent Agent { get; set; }

    public Limits Limits { get; set; } = new();

    /// <summary>The web tools; disposed with this world.</summary>
    public WebLab Web { get; set; } = new();

    /// <summary>The MCP servers' way; disposed with this world.</summary>
    public McpLab Mcp { get; set; } = new();

    public Prices Prices { get; set; } = Prices.Default;

    /// <summary>What the session's row has; a new owner starts with it.</summary>
    public Budget? Budget { get; set; }

    /// <summary>Whether the client runs the sandbox tools; a new owner starts with it.</summary>
    public bool IsSelfHosted { get; set; }

    /// <summary>The log in the hands of the present owner.</summary>
    public ThreadLog Log { get; private set; }

    /// <summary>The turn that runs, or ran last.</summary>
    public Turn? Turn { get; private set; }

    /// <summary>The types of every public entry, oldest first.</summary>
    public IReadOnlyList<string> Types => [.. Entries.Where(entry => !entry.Internal).Select(entry => entry.Type)];

    public IReadOnlyList<LogEntry> Entries => 
        _log.ReadAll(_sessionId, 0, int.MaxValue, CancellationToken.None).AsTask().GetAwaiter().GetResult();

    /// <summary>Every public event of a type, decoded.</summary>
    public IReadOnlyList<T> Events<T>() where T : SessionEvent =>
        [.. Entries.Where(entry => !entry.Internal)
            .Select(entry => JsonSerializer.Deserialize(entry.Body, WireJson.Default.SessionEvent)!).OfType<T>()];

    /// <summary>Appends a message to an idle session, as its owner does.</summary>
    public Task Send(string text) => Log.Session.Append(
        Log,
        [Log.Stamp(new UserMessage { Content = [ContentBlock.Of(text)] }), .. Turn.Running(Log)],
        Log.History.Seq == 0 ? SaveKind.Insert : SaveKind.State);

    /// <summary>Appends the result of the one call that waits for the client, as its owner does.</summary>
    public Task Answer(string text)
    {
        var call = Log.History.Round.Single();
        var result = new UserCustomToolResult { CustomToolUseId = call.Id, Content = [ContentBlock.Of(text)] };
        return Log.Append([Log.Stamp(result), .. Turn.Running(Log)]);
    }

    /// <summary>Runs a turn to its end.</summary>
    /// <param name="isInterrupted">An interrupt reaches the turn before its first step.</param>
    public async Task Run(CancellationToken cancellationToken, bool isInterrupted = false)
    {
        var tools = new ToolRunner(_sandboxes, Web.Tools, Mcp.Servers, Keep, _sessionId);
        Turn = new Turn(Log, _model, tools, Feed, Limits, Clock)
        {
            IsTakenOver = _isTakenOver,
        };
        _isTakenOver = false;
        using (Turn)
        {
            if (isInterrupted)
            {
                Turn.Interrupt();
            }

            await Turn.Run(cancellationToken);
        }
    }

    /// <summary>Sends an interrupt to the running turn, as its owner does.</summary>
    public async Task Interrupt()
    {
        await Log.Append(new Waiting(new UserInterrupt()));
        Turn!.Interrupt();
    }

    /// <summary>The last owner is gone; a new one knows what the log says.</summary>
    public void Crash() => Log = NewOwner();

    /// <summary>The sandbox is gone with its processes; the files stay.</summary>
    public Task LoseSandbox() => _sandboxes.Stop(_sessionId, CancellationToken.None);

    /// <summary>A log that starts as a copy of another's first entries.</summary>
    public async Task Copy(IEnumerable<LogEntry> entries)
    {
        var row = Row(Log.Session.History, Clock.GetUtcNow(), SaveKind.Insert);
        await _log.Append(new LogAppend
        {
            Session = _sessionId,
            ExpectedSeq = 0,
            Entries = [.. entries],
            Save = new SessionSave(row, SaveKind.Insert),
        });
        Crash();
    }

    /// <summary>Lets time pass until the turn has ended.</summary>
    public async Task Pass(Task run)
    {
        while (!run.IsCompleted)
        {
            Clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        await run;
    }

    /// <summary>Completes when an entry of the type is durable that was not when this was called.</summary>
    public async Task Appended(string type, CancellationToken cancellationToken)
    {
        var reader = Feed.Subscribe(_sessionId, 0, 0, new HashSet<string>());
        try
        {
            while (Entries.All(entry => entry.Type != type))
            {
                await reader.WhenCalled().AsTask().WaitAsync(cancellationToken);
            }
        }
        finally
        {
            Feed.Unsubscribe(_sessionId, reader);
        }
    }

    /// <summary>Completes when a command has made the file in the workspace.</summary>
    public async Task SandboxFile(string name, CancellationToken cancellationToken)
    {
        using var watcher = new FileSystemWatcher(_sandboxes.Root, name) { IncludeSubdirectories = true };
        var created = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        watcher.Created += (_, _) => created.TrySetResult();
        watcher.EnableRaisingEvents = true;
        if (!File.Exists(InWorkspace(name)))
        {
            await created.Task.WaitAsync(cancellationToken);
        }
    }

    public void WriteSandboxFile(string name) => File.WriteAllText(InWorkspace(name), "");

    public async ValueTask DisposeAsync()
    {
        await _sandboxes.Destroy(_sessionId, CancellationToken.None);
        await _sandboxes.DisposeAsync();
        Web.Dispose();
        await Mcp.DisposeAsync();
        await SandboxRemains.Clear(_folder.Path);
        await _log.DisposeAsync();
        await _database.DisposeAsync();
        _folder.Dispose();
    }

    private string InWorkspace(string name) => Path.Combine(_sandboxes.FolderOf(_sessionId).Workspace, name);

    private ThreadLog NewOwner()
    {
        var log = new SessionLog(_log, _sessionId, "sthr_1", _ids, Clock)
        {
            Agent = () => Agent,
            Row = Row,
            Prices = Prices,
            Budget = Budget,
            IsSelfHosted = IsSelfHosted,
        };
        log.Load(CancellationToken.None).GetAwaiter().GetResult();
        _isTakenOver = log.History.Status != SessionStatus.Idle;
        return log.Primary;
    }

    private SessionRow Row(SessionHistory history, DateTimeOffset now, SaveKind save) => new()
    {
        Id = _sessionId,
        CreatedAt = now.ToMicroseconds(),
        ThreadId = "sthr_1",
        AgentId = Agent.Id,
        AgentVersion = Agent.Version,
        EnvironmentId = "env_1",
        Status = history.Status,
        Definition = save == SaveKind.State ? "" : "{}",
        State = "{}",
    };

    // There is no store of files in this world: what is shown stands in the log itself.
    private static Task<ContentBlock> Keep(string sessionId, ToolMedia media, CancellationToken cancellationToken) =>
        Task.FromResult<ContentBlock>(new ImageBlock
        {
            Source = new MediaSource
            {
                Type = "base64", MediaType = Picture.TypeOf(media.Bytes), Data = Convert.ToBase64String(media.Bytes),
            },
        });
}
