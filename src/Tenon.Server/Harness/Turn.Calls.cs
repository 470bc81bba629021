using Tenon.Server.Sandboxes;
using Tenon.Server.Tools;
using Tenon.Wire.Content;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>Steps 6 and 7: running the calls of an answer, once each, and closing those that were cut short.</content>
public sealed partial class Turn
{
    private const string Interrupted = "Tool execution was interrupted before completion. Please retry.";

    /// <summary>Runs what can run now: neighbours that change nothing together, all else in call order.</summary>
    private async Task RunCalls(CancellationToken cancellationToken)
    {
        var calls = new Queue<Call>(History.Round.Where(call => call.IsOpen && !call.WaitsForClient));
        while (calls.TryDequeue(out var call))
        {
            var together = new List<Task> { RunCall(call, cancellationToken) };
            while (BuiltinTools.IsParallel(call.Name) && together.Count < limits.ParallelToolsMax
                && calls.TryPeek(out var next) && BuiltinTools.IsParallel(next.Name))
            {
                together.Add(RunCall(calls.Dequeue(), cancellationToken));
            }

            await Task.WhenAll(together);
        }
    }

    private async Task RunCall(Call call, CancellationToken cancellationToken)
    {
        if (call.IsDenied)
        {
            await log.Append(Result(call, ToolOutput.Error(Denial(call))));
            return;
        }

        // An interrupt kills the command. A stop of the server only leaves it: the next owner asks for its receipt.
        var output = await TryOpen(call, cancellationToken)
            ?? await tools.Run(call.Id, call.Name, call.Input, _interrupt.Token).WaitAsync(cancellationToken);

        cancellationToken.ThrowIfCancellationRequested();
        await log.Append(Result(call, output));
        await tools.Forget(call.Id);
    }

    /// <summary>
    /// Makes sure that the sandbox stands and that the log knows which life of it the call goes to, before the call
    /// goes. Returns the call's result when it must not run: the sandbox cannot start, or may have run it before it
    /// died.
    /// </summary>
    private async Task<ToolOutput?> TryOpen(Call call, CancellationToken cancellationToken)
    {
        string instance;
        try
        {
            instance = await tools.Open(cancellationToken);
        }
        catch (SandboxException exception)
        {
            return ToolOutput.Error($"The sandbox could not be started: {exception.Message}");
        }

        if (instance == History.SandboxInstance)
        {
            return null;
        }

        if (_inherited.Contains(call.Id) && History.SandboxInstance is not null)
        {
            return ToolOutput.Error(
                "The sandbox was lost while this call may have been running, so its outcome is unknown. "
                + "Check before you repeat it.");
        }

        await log.Append(new SandboxOpened(instance));
        return null;
    }

    /// <summary>
    /// After an interrupt: the open request has ended, the open calls have failed, the interrupt has taken effect, and
    /// the turn ends unless more input waits.
    /// </summary>
    private async Task CloseInterrupted()
    {
        var closing = new List<object>();
        if (History.OpenRequestId is { } open)
        {
            closing.Add(RequestEnd(open, isError: false, new Models.ModelUsage()));
        }

        closing.AddRange(History.Round.Where(call => call.IsOpen)
            .Select(call => Result(call, ToolOutput.Error(Interrupted))));
        closing.AddRange(History.Waiting.Where(waiting => waiting is UserInterrupt).Select(log.Stamp));
        var redirect = TakeWaiting();
        await log.Append([.. closing, .. redirect]);
        if (redirect.Count == 0)
        {
            await Idle(StopReason.EndTurn);
        }
        else if (History.Status != SessionStatus.Running)
        {
            await log.Append(Running(agent, log));
        }
    }

    private static string Denial(Call call) => call.Permission == "deny"
        ? call.DenyMessage ?? History.DeniedBeforePolicy
        : "The user denied this call." + (call.DenyMessage is { Length: > 0 } message ? $" They said: {message}" : "");

    private static SessionEvent Result(Call call, ToolOutput output) => call.IsCustom
        ? new UserCustomToolResult { CustomToolUseId = call.Id, Content = output.Content, IsError = output.IsError }
        : new AgentToolResult { ToolUseId = call.Id, Content = output.Content, IsError = output.IsError };
}
