using Tenon.Server.Sandboxes;

namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// A sandbox with receipts that outlives its server, as the real one does. It counts what each call really did.
/// </summary>
internal sealed class SimulatedSandboxes(Scenario scenario, World world) : ISandboxProvider
{
    private readonly Dictionary<string, PlannedCall> _calls = scenario.Answers.SelectMany(answer => answer)
        .ToDictionary(call => call.Name);

    private SimulatedSandbox? _living;
    private int _lives;

    /// <summary>How often each call took effect, by the id of its event.</summary>
    public Dictionary<string, int> Effects { get; } = [];

    /// <summary>Sandboxes that have died so far.</summary>
    public int Deaths { get; private set; }

    public async Task<ISandbox> Open(string sessionId, CancellationToken cancellationToken)
    {
        await world.Pass(cancellationToken);
        return _living ??= new SimulatedSandbox($"life {++_lives}", world, this);
    }

    public async Task<bool> Snapshot(
        string sessionId, string snapshotId, IReadOnlyCollection<string> stay, CancellationToken cancellationToken)
    {
        await world.Pass(cancellationToken);
        return _lives > 0;
    }

    public Task PlaceUploads(string sessionId, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task Stop(string sessionId, CancellationToken cancellationToken)
    {
        Die();
        return Task.CompletedTask;
    }

    public Task Destroy(string sessionId, CancellationToken cancellationToken) => Stop(sessionId, cancellationToken);

    /// <summary>Everything in the sandbox ends at once, with its receipts.</summary>
    public void Die()
    {
        if (_living is { } living)
        {
            _living = null;
            Deaths++;
            living.Die();
        }
    }

    public bool CanProgress => _living is { CanProgress: true };

    public void Progress() => _living!.Progress(world.Random);

    /// <summary>Whether the call ends by itself.</summary>
    public bool IsEndless(SandboxCall call) => Planned(call)?.Kind == CallKind.Endless;

    // A grader's call is planned nowhere.
    private PlannedCall? Planned(SandboxCall call) => _calls.GetValueOrDefault(
        call.Input.TryGetProperty("command", out var command)
            ? command.GetString()! : call.Input.GetProperty("file_path").GetString()!);
}

internal sealed class SimulatedSandbox(string instance, World world, SimulatedSandboxes sandboxes) : ISandbox
{
    private readonly Dictionary<string, Running> _receipts = [];
    private bool _isDead;

    public string Instance => instance;

    public string? Notice => "another life";

    public bool CanProgress => _receipts.Values.Any(running => running.CanProgress(sandboxes));

    public async Task<ToolOutput> Call(SandboxCall call, CancellationToken cancellationToken)
    {
        await world.Pass(CancellationToken.None);
        if (_isDead)
        {
            throw new SandboxException("it died");
        }

        if (!_receipts.TryGetValue(call.ToolUseId, out var running))
        {
            _receipts.Add(call.ToolUseId, running = new Running(call));
        }

        await using var cancelled = cancellationToken.UnsafeRegister(
            _ => running.End(ToolOutput.Error("killed")), null);
        var output = await running.Done.Task;
        await world.Pass(CancellationToken.None);
        return output ?? throw new SandboxException("it died");
    }

    public Task Forget(string toolUseId, CancellationToken cancellationToken)
    {
        world.CheckDurable(toolUseId);
        _receipts.Remove(toolUseId);
        return Task.CompletedTask;
    }

    /// <summary>One of the running calls takes its next step: it takes effect, or it ends.</summary>
    public void Progress(Random random)
    {
        var running = _receipts.Values.Where(running => running.CanProgress(sandboxes)).ToList();
        running[random.Next(running.Count)].Progress(sandboxes);
    }

    public void Die()
    {
        _isDead = true;
        foreach (var running in _receipts.Values)
        {
            running.End(null);
        }
    }

    private sealed class Running(SandboxCall call)
    {
        private bool _hasTakenEffect;

        /// <summary>The result; null when the sandbox died first. Continuations run on the owner's scheduler.</summary>
        public TaskCompletionSource<ToolOutput?> Done { get; } = new();

        public bool CanProgress(SimulatedSandboxes sandboxes) =>
            !Done.Task.IsCompleted && !(_hasTakenEffect && sandboxes.IsEndless(call));

        public void Progress(SimulatedSandboxes sandboxes)
        {
            if (_hasTakenEffect)
            {
                End(ToolOutput.Ok($"result of {call.Tool}, {new string('.', 400)}"));
                return;
            }

            _hasTakenEffect = true;
            sandboxes.Effects[call.ToolUseId] = sandboxes.Effects.GetValueOrDefault(call.ToolUseId) + 1;
        }

        public void End(ToolOutput? output) => Done.TrySetResult(output);
    }
}
