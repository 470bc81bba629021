namespace Tenon.Server.Sandboxes;

/// <summary>What was put into a sandbox beside its mounts, once it lives.</summary>
/// <param name="Notice">For the model; null when there is nothing to say.</param>
/// <param name="Problems">What could not be put there. It is tried again.</param>
public sealed record SandboxProvision(string? Notice, IReadOnlyList<SandboxProblem> Problems)
{
    public static SandboxProvision None { get; } = new(null, []);
}

/// <param name="Type">Of the <c>session.error</c> (api C.6).</param>
/// <param name="Message">For people: what, where, and what to do.</param>
/// <param name="Url">Of the repository.</param>
public sealed record SandboxProblem(string Type, string Message, string Url);

/// <summary>Puts into a living sandbox what its session has; what is there already is left.</summary>
/// <exception cref="SandboxException">The sandbox was lost.</exception>
internal delegate Task<SandboxProvision> ProvisionOf(
    string sessionId, ISandbox sandbox, CancellationToken cancellationToken);

/// <summary>One sandbox's provision: it runs beside whatever else is done, and again when it had problems.</summary>
internal sealed class Provisioning(Func<Task<SandboxProvision>> run, TimeProvider time)
{
    /// <summary>What failed may work a little later, as when a token was replaced; a call waits for each try.</summary>
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private Task<SandboxProvision>? _running;
    private DateTimeOffset _endedAt;

    public Task<SandboxProvision> Result()
    {
        lock (_gate)
        {
            var isOver = _running is { IsCompleted: true } over
                && (!over.IsCompletedSuccessfully || over.Result.Problems.Count > 0)
                && time.GetUtcNow() - _endedAt >= RetryPause;
            return _running is null || isOver ? _running = Run() : _running;
        }
    }

    private async Task<SandboxProvision> Run()
    {
        try
        {
            return await Task.Run(run);
        }
        finally
        {
            _endedAt = time.GetUtcNow();
        }
    }
}
