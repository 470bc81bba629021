using Tenon.Server.Sandboxes;
using Tenon.Wire.Agents;
using Tenon.Wire.Hand;

namespace Tenon.Server.Mcp;

/// <summary>The servers that are programs in their session's sandbox (<c>stdio</c>, an extension).</summary>
public sealed class McpPrograms(ISandboxProvider sandboxes, McpLimits limits, TimeProvider clock)
{
    /// <summary>
    /// Waits until the session's sandbox stands, with what is put into it: the program may be of one of its
    /// repositories. That is not the server's time.
    /// </summary>
    /// <exception cref="SandboxException">It cannot be started, or takes too long.</exception>
    internal async Task<ISandbox> Sandbox(string sessionId, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(limits.SandboxTimeMax, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            var sandbox = await sandboxes.Open(sessionId, either.Token);
            await sandbox.Provisioned(either.Token);
            return sandbox;
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SandboxException(
                $"The sandbox was not there within {limits.SandboxTimeMax.TotalSeconds:0} s.", exception);
        }
    }

    /// <summary>Starts the program, in a new sandbox when the one that was there turns out to have died.</summary>
    internal async Task<IMcpLink> Start(string sessionId, McpServer server, CancellationToken cancellationToken)
    {
        try
        {
            return await StartIn(sessionId, server, cancellationToken);
        }
        catch (SandboxException exception) when (exception.InnerException is not null)
        {
            // Nothing of it runs: its connection is gone.
            return await StartIn(sessionId, server, cancellationToken);
        }
    }

    private async Task<IMcpLink> StartIn(string sessionId, McpServer server, CancellationToken cancellationToken)
    {
        var sandbox = await Sandbox(sessionId, cancellationToken);
        return new McpProgramLink(
            await sandbox.Start(
                new HandProgram(
                    server.Command!, server.Args ?? [], server.Env ?? new Dictionary<string, string>()),
                cancellationToken),
            limits);
    }
}
