using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>
/// Looks at a session's outputs when its sandbox says that something there has changed, so that a file is listed
/// within a second of its end, also while the command that wrote it runs on. Costs nothing while nothing is written.
/// </summary>
/// <remarks>
/// What a sandbox says may be lost, with a connection or a crash. Outputs are looked at when a session goes idle, when
/// its sandbox is found again after a restart, and when they are listed; this only makes it sooner.
/// </remarks>
public sealed partial class OutputWatch : BackgroundService
{
    private readonly SandboxProvider _sandboxes;
    private readonly ILogger<OutputWatch> _logger;
    private readonly Looks _looks;

    public OutputWatch(
        SandboxProvider sandboxes, SessionOutputs outputs, TimeProvider clock, ILogger<OutputWatch> logger)
    {
        (_sandboxes, _logger) = (sandboxes, logger);
        _looks = new Looks(
            async (id, cancelled) =>
            {
                await outputs.Follow(id, cancelled);
                return true;
            },
            LogFailed, clock);
    }

    public override void Dispose()
    {
        base.Dispose();
        _looks.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _looks.Start(stoppingToken);
        _sandboxes.OutputsWritten += _looks.Hear;
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stoppingToken.Register(stopped.SetResult))
        {
            await stopped.Task;
        }

        _sandboxes.OutputsWritten -= _looks.Hear;

        // What is under way ends before the database does.
        await _looks.Ended();
    }

    [LoggerMessage(LogLevel.Warning, "The outputs of {SessionId} were not looked at")]
    private partial void LogFailed(string sessionId, Exception exception);
}
