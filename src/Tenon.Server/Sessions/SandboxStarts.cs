using System.Threading.Channels;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tools;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// Starts the sandboxes of new sessions in the background, so that a first call finds one. Nothing waits for it, and
/// what fails here is tried again, and told, by the first call.
/// </summary>
public sealed partial class SandboxStarts(
    ISandboxProvider sandboxes, SessionStore store, ILogger<SandboxStarts> logger) : BackgroundService
{
    /// <summary>Starts at once: more would only share the cores that a start is made of.</summary>
    private const int ParallelMax = 2;

    /// <summary>Sessions that may wait. Beyond it the first call of a session starts its sandbox.</summary>
    private const int WaitingMax = 1_024;

    private readonly Channel<string> _waiting = Channel.CreateBounded<string>(
        new BoundedChannelOptions(WaitingMax) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Asks for the sandbox of a new session, if it is one that will have one.</summary>
    public void Ask(SessionRecord record)
    {
        if (!record.Definition.IsSelfHosted && HasSandboxTools(record.Definition.Agent))
        {
            _waiting.Writer.TryWrite(record.Id);
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, ParallelMax).Select(_ => Work(stoppingToken)));

    private static bool HasSandboxTools(SessionAgent agent) =>
        agent.McpServers.Any(server => server.IsStdio)
        || BuiltinTools.Sandboxed.Any(tool => Permission.IsEnabled(agent.Tools, tool.Name));

    private async Task Work(CancellationToken stopping)
    {
        await foreach (var id in _waiting.Reader.ReadAllAsync(stopping))
        {
            try
            {
                if (await IsAlive(id, stopping))
                {
                    await sandboxes.Open(id, stopping);
                    await EndIfGone(id, stopping);
                }
            }
            catch (Exception exception) when (!stopping.IsCancellationRequested)
            {
                // Whatever it was, the first call meets it again and its result says so.
                LogFailed(id, exception);
            }
        }
    }

    private async Task<bool> IsAlive(string id, CancellationToken cancellationToken) =>
        await store.Find(id, cancellationToken) is { ArchivedAt: null };

    // The session may have gone while its sandbox was made.
    private async Task EndIfGone(string id, CancellationToken cancellationToken)
    {
        if (await store.Find(id, cancellationToken) is not { } record)
        {
            await sandboxes.Destroy(id, cancellationToken);
        }
        else if (record.ArchivedAt is not null)
        {
            await sandboxes.Stop(id, cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The sandbox of {SessionId} was not started ahead of its first call")]
    private partial void LogFailed(string sessionId, Exception exception);
}
