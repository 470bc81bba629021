using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tools;
using Tenon.Server.Web;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <content>Steps 6 and 7: running the calls of an answer, once each, and closing those that were cut short.</content>
public sealed partial class Turn
{
    private const string Interrupted = "Tool execution was interrupted before completion. Please retry.";

    private const string FilesGone =
        "[The files of this session are no longer kept. The workspace is empty, and the shell starts afresh in it.]";

    /// <summary>Runs what can run now: neighbours that change nothing together, all else in call order.</summary>
    private async Task RunCalls(CancellationToken cancellationToken)
    {
        await _pending;
        var calls = new Queue<Call>(History.Round.Where(call => call.IsOpen && !call.WaitsForClient));
        while (calls.TryDequeue(out var call))
        {
            if (await Refuse(call, cancellationToken) is { } refusal)
            {
                await log.Append(Result(call, refusal));
                continue;
            }

            var together = new List<Task<(Call Call, ToolOutput Output)>> { RunCall(call, cancellationToken) };
            while (together.Count < limits.ParallelToolsMax && CanJoin(call, calls, out var next)
                && await Refuse(next, cancellationToken) is null)
            {
                together.Add(RunCall(calls.Dequeue(), cancellationToken));
            }

            // One flow appends: results are logged as they come, never two at the same time.
            while (together.Count > 0)
            {
                var ended = await Task.WhenAny(together);
                together.Remove(ended);
                var (done, output) = await ended;
                if (WebTools.Has(done.Name) && ToolRunner.IsTooLong(output))
                {
                    output = await ShortenWeb(done, output, cancellationToken);
                }

                await log.Append(Result(done, Told(done, output)));
                await tools.Forget(done.Id);
            }
        }
    }

    private static bool CanJoin(Call call, Queue<Call> calls, [NotNullWhen(true)] out Call? next) =>
        calls.TryPeek(out next) && BuiltinTools.IsParallel(call.Name) && BuiltinTools.IsParallel(next.Name);

    /// <summary>
    /// An interrupt kills the command. A stop of the server only leaves it: the next owner asks for its receipt. A web
    /// tool has none, and is stopped by both: the next owner runs it again.
    /// </summary>
    private async Task<(Call Call, ToolOutput Output)> RunCall(Call call, CancellationToken cancellationToken)
    {
        var running = WebTools.Has(call.Name)
            ? tools.RunWeb(
                new WebCall(call.Name, call.Input, agent.Tools, agent.System, History.Urls), cancellationToken)
            : tools.Run(call.Id, call.Name, call.Input, _interrupt.Token);
        var output = await running.WaitAsync(cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        return (call, output);
    }

    /// <summary>The call's result when it must not run; null when it may, and then what it needs stands.</summary>
    private async Task<ToolOutput?> Refuse(Call call, CancellationToken cancellationToken) =>
        call.IsDenied ? ToolOutput.Error(Denial(call))
        : BuiltinTools.IsSandboxed(call.Name) ? await TryOpen(call, cancellationToken) : null;

    /// <summary>
    /// Makes sure that the sandbox stands and that the log knows which life of it the call goes to, before the call
    /// goes. Returns the call's result when it must not run: the sandbox cannot start, or may have run it before it
    /// died.
    /// </summary>
    private async Task<ToolOutput?> TryOpen(Call call, CancellationToken cancellationToken)
    {
        ISandbox sandbox;
        SandboxProvision provision;
        try
        {
            sandbox = await tools.Open(cancellationToken);
            provision = await sandbox.Provisioned(cancellationToken);
        }
        catch (SandboxException exception)
        {
            return ToolOutput.Error($"The sandbox could not be started: {exception.Message}");
        }

        if (sandbox.Instance == History.SandboxInstance)
        {
            await Tell(sandbox.Instance, History.SandboxNotice, provision);
            return null;
        }

        // A web tool does not run in it, and only leaves a file there.
        if (!WebTools.Has(call.Name) && _inherited.Contains(call.Id) && History.SandboxInstance is not null)
        {
            return ToolOutput.Error(
                "The sandbox was lost while this call may have been running, so its outcome is unknown. "
                + "Check before you repeat it.");
        }

        await Tell(
            sandbox.Instance, History.SandboxInstance is null ? null : sandbox.Notice ?? FilesGone, provision);
        return null;
    }

    /// <summary>Logs a life of the sandbox, or what was put into one that is known, with what went wrong.</summary>
    private Task Tell(string instance, string? notice, SandboxProvision provision)
    {
        var news = provision.Notice == History.SandboxProvision ? null : provision.Notice;
        return instance == History.SandboxInstance && news is null ? Task.CompletedTask : log.Append(
        [
            new SandboxOpened(instance)
            {
                Notice = notice is null || news is null ? notice ?? news : $"{notice}\n{news}", Provision = news,
            },
            .. news is null ? [] : provision.Problems.Select(NotThere),
        ]);
    }

    private static SessionError NotThere(SandboxProblem problem)
    {
        var error = Error(problem.Type, problem.Message, "retrying");
        error.Error.Extra = new() { ["repository_url"] = JsonSerializer.SerializeToElement(problem.Url) };
        return error;
    }

    /// <summary>A long result of a web tool is kept in the sandbox, where the agent has one.</summary>
    private async Task<ToolOutput> ShortenWeb(Call call, ToolOutput output, CancellationToken cancellationToken)
    {
        var hasSandbox = !History.IsSelfHosted
            && BuiltinTools.Sandboxed.Any(tool => Permission.IsEnabled(agent.Tools, tool.Name))
            && await TryOpen(call, cancellationToken) is null;
        try
        {
            return await tools.ShortenWeb(call.Id, output, hasSandbox, cancellationToken);
        }
        catch (SandboxException)
        {
            // It died meanwhile. The beginning is still worth reading.
            return await tools.ShortenWeb(call.Id, output, hasSandbox: false, cancellationToken);
        }
    }

    /// <summary>The output with what the model must know of the life of the sandbox that it came from.</summary>
    private ToolOutput Told(Call call, ToolOutput output) =>
        History.SandboxNotice is { } notice && BuiltinTools.IsSandboxed(call.Name)
            ? output with { Content = [.. output.Content, ContentBlock.Of(notice)] } : output;

    /// <summary>
    /// After an interrupt: the open request has ended, the open calls have failed, the interrupt has taken effect, and
    /// the turn ends unless more input waits.
    /// </summary>
    public static List<object> EndInterrupted(SessionAgent agent, SessionLog log)
    {
        var closing = Closing(agent, log);
        closing.AddRange(log.History.Waiting.Where(waiting => waiting is UserInterrupt).Select(log.Stamp));
        var redirect = TakeWaiting(log);
        closing.AddRange(redirect);
        if (redirect.Count == 0)
        {
            closing.AddRange(Idle(agent, log, StopReason.EndTurn));
        }
        else if (log.History.Status != SessionStatus.Running)
        {
            closing.AddRange(Running(agent, log));
        }

        return closing;
    }

    /// <summary>The entries that end what is open: the request to the model, and the calls, which failed.</summary>
    public static List<object> Closing(SessionAgent agent, SessionLog log, bool isError = false)
    {
        var closing = new List<object>();
        if (log.History.OpenRequestId is { } open)
        {
            closing.Add(RequestEnd(agent, open, isError, new Models.ModelUsage()));
        }

        closing.AddRange(log.History.Round.Where(call => call.IsOpen)
            .Select(call => Result(call, ToolOutput.Error(Interrupted))));
        return closing;
    }

    private static string Denial(Call call) => call.Permission == "deny"
        ? call.DenyMessage ?? History.DeniedBeforePolicy
        : "The user denied this call." + (call.DenyMessage is { Length: > 0 } message ? $" They said: {message}" : "");

    private static SessionEvent Result(Call call, ToolOutput output) => call.IsCustom
        ? new UserCustomToolResult { CustomToolUseId = call.Id, Content = output.Content, IsError = output.IsError }
        : new AgentToolResult { ToolUseId = call.Id, Content = output.Content, IsError = output.IsError };
}
