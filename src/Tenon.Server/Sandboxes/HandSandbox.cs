using Tenon.Wire.Content;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>A living sandbox, seen through its hand.</summary>
internal sealed class HandSandbox(
    string instance, SandboxProcess process, HandConnection connection, SandboxUse use, TimeProvider time)
    : ISandbox, IAsyncDisposable
{
    /// <summary>The hand kills in milliseconds; a longer silence means that it hangs, and the caller goes on.</summary>
    private static readonly TimeSpan CancelTime = TimeSpan.FromSeconds(5);

    /// <summary>What JSON may add around a call's input in its frame.</summary>
    private const int FrameOverheadBytes = 64 * 1024;

    public string Instance => instance;

    public bool IsAlive => connection.IsOpen && process.IsAlive;

    internal SandboxProcess Process => process;

    public string? Notice { get; init; }

    internal Provisioning? Provisioning { get; set; }

    /// <summary>Where the hand listens.</summary>
    internal required string Socket { get; init; }

    public Task<SandboxProvision> Provisioned(CancellationToken cancellationToken) =>
        Provisioning?.Result().WaitAsync(cancellationToken) ?? Task.FromResult(SandboxProvision.None);

    public async Task<ToolOutput> Call(SandboxCall call, CancellationToken cancellationToken)
    {
        await use.Begin();
        try
        {
            return await Run(call, cancellationToken);
        }
        finally
        {
            use.End();
        }
    }

    private async Task<ToolOutput> Run(SandboxCall call, CancellationToken cancellationToken)
    {
        if (call.Input.GetRawText().Length > HandProtocol.FrameBytesMax - FrameOverheadBytes)
        {
            return ToolOutput.Error($"{call.Tool}: the input is larger than {HandProtocol.FrameBytesMax} bytes");
        }

        if (cancellationToken.IsCancellationRequested)
        {
            return ToolOutput.Error(HandProtocol.Interrupted);
        }

        var answer = connection.Ask(
            new HandRequest
            {
                Id = 0,
                Verb = HandVerbs.Call,
                ToolUseId = call.ToolUseId,
                Tool = call.Tool,
                Shell = call.Shell,
                Input = call.Input,
            },
            CancellationToken.None);
        try
        {
            return Output(await answer.WaitAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // The contract of a cancelled call is an answer, not an exception.
            return await Cancel(call.ToolUseId, answer);
        }
    }

    public async Task<SandboxProgram> Start(HandProgram program, CancellationToken cancellationToken)
    {
        await use.Begin();
        try
        {
            return await SandboxProgram.Start(Socket, program, use, cancellationToken);
        }
        catch (SandboxException exception) when (exception.InnerException is not null)
        {
            // Not refused, but not reached: when the hand is gone, whoever opens the sandbox next shall know it.
            await Ping(cancellationToken).WaitAsync(CancelTime, time, cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
        finally
        {
            use.End();
        }
    }

    public async Task Forget(string toolUseId, CancellationToken cancellationToken)
    {
        await use.Begin();
        try
        {
            await connection.Ask(
                new HandRequest { Id = 0, Verb = HandVerbs.Forget, ToolUseId = toolUseId }, cancellationToken);
        }
        finally
        {
            use.End();
        }
    }

    /// <summary>
    /// Keeps the shell's state among the session's files. A hand that cannot, or hangs, keeps what it kept before.
    /// </summary>
    public async Task SaveShell()
    {
        try
        {
            await connection.Ask(new HandRequest { Id = 0, Verb = HandVerbs.Save }, CancellationToken.None)
                .WaitAsync(CancelTime, time);
        }
        catch (Exception exception) when (exception is SandboxException or TimeoutException)
        {
            // Its files are what counts; the shell's state is a comfort.
        }
    }

    /// <summary>A round trip to the hand that does nothing.</summary>
    public Task Ping(CancellationToken cancellationToken) =>
        connection.Ask(new HandRequest { Id = 0, Verb = HandVerbs.Ping }, cancellationToken);

    /// <summary>Lets go of the sandbox without ending it.</summary>
    public async ValueTask DisposeAsync()
    {
        await connection.DisposeAsync();
        process.Dispose();
    }

    private async Task<ToolOutput> Cancel(string toolUseId, Task<HandReply> answer)
    {
        try
        {
            await connection.Ask(
                new HandRequest { Id = 0, Verb = HandVerbs.Cancel, ToolUseId = toolUseId }, CancellationToken.None)
                .WaitAsync(CancelTime, time);
            return Output(await answer.WaitAsync(CancelTime, time));
        }
        catch (TimeoutException)
        {
            // The caller's wish to stop is honoured even by a hand that hangs.
            return ToolOutput.Error(HandProtocol.Interrupted);
        }
    }

    private static ToolOutput Output(HandReply reply) => reply switch
    {
        { IsError: true } => ToolOutput.Error(reply.Text ?? ""),
        { Parts: { Count: > 0 } parts } => Output(parts),
        _ => ToolOutput.Ok(reply.Text ?? ""),
    };

    private static ToolOutput Output(IReadOnlyList<HandPart> parts)
    {
        var content = new List<ContentBlock>();
        var media = new List<ToolMedia>();
        foreach (var part in parts)
        {
            if (part.Content is { } bytes)
            {
                media.Add(new ToolMedia(content.Count, part.Name ?? "", bytes));
            }
            else
            {
                content.Add(ContentBlock.Of(part.Text ?? ""));
            }
        }

        return new ToolOutput(content, IsError: false) { Media = media };
    }
}
