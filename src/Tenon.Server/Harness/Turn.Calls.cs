using Tenon.Server.Mcp;
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

    /// <summary>Runs what can run now: neighbours that change nothing together, all else in call order.</summary>
    private async Task RunCalls(CancellationToken cancellationToken)
    {
        await _pending;
        var calls = new Queue<Call>(History.Round.Where(call => call.CanRun));
        while (calls.Count > 0)
        {
            var group = TakeGroup(calls);
            if (group[0].IsPlatform)
            {
                await log.Append(RunPlatform(group[0]));
                continue;
            }

            var wasSent = group.Where(call => History.Mcp.WasSent(call.Id)).ToHashSet();
            await NoteSent(group);
            var together = new List<Task<Ran>>();
            foreach (var call in group)
            {
                if (await Refuse(call, wasSent.Contains(call), cancellationToken) is { } refusal)
                {
                    await log.Append(Result(call, refusal));
                }
                else
                {
                    together.Add(RunCall(call, cancellationToken));
                }
            }

            await AppendResults(together, cancellationToken);
        }
    }

    /// <summary>The next call, with its neighbours that may run beside it.</summary>
    private List<Call> TakeGroup(Queue<Call> calls)
    {
        var group = new List<Call> { calls.Dequeue() };
        while (group.Count < limits.ParallelToolsMax && group[0].IsParallel
            && calls.TryPeek(out var next) && next.IsParallel)
        {
            group.Add(calls.Dequeue());
        }

        return group;
    }

    /// <summary>One flow appends: results are logged as they come, never two at the same time.</summary>
    private async Task AppendResults(List<Task<Ran>> together, CancellationToken cancellationToken)
    {
        while (together.Count > 0)
        {
            var ended = await Task.WhenAny(together);
            together.Remove(ended);
            var (call, output, fault) = await ended;
            if (!BuiltinTools.IsSandboxed(call.Name) && ToolRunner.IsTooLong(output))
            {
                output = await Shorten(call, output, cancellationToken);
            }

            var result = Result(call, WithNotice(call, output));
            await log.Append(fault is null ? [result] : [new Shown(Error(fault)), result]);
            if (BuiltinTools.IsSandboxed(call.Name))
            {
                await tools.Forget(call.Id);
            }
        }
    }

    /// <summary>
    /// An interrupt kills the command. A stop of the server only leaves it: the next owner asks for its receipt. What
    /// runs in the server itself has none, and is stopped by both: the next owner makes the call again, or says that
    /// its outcome is unknown.
    /// </summary>
    private async Task<Ran> RunCall(Call call, CancellationToken cancellationToken)
    {
        var running = call.Mcp is { } mcp ? RunMcp(call, mcp, cancellationToken)
            : WebTools.Has(call.Name) ? Only(tools.RunWeb(
                new WebCall(call.Name, call.Input, Agent.Tools, Agent.System, History.Urls)
                {
                    CallerTools = log.IsPrimary ? null : log.Session.Primary.Agent.Tools,
                },
                cancellationToken))
            : Only(tools.Run(call.Id, call.Name, call.Input, _interrupt.Token));
        var answer = await running.WaitAsync(cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        return new Ran(call, answer.Output, answer.Fault);

        static async Task<McpAnswer> Only(Task<ToolOutput> output) => new(await output, null);
    }

    private async Task<McpAnswer> RunMcp(Call call, McpTarget target, CancellationToken cancellationToken) =>
        Agent.McpServers.FirstOrDefault(server => server.Name == target.Server) is { } server
            ? await tools.RunMcp(server, target.Tool, call.Input, cancellationToken)
            : new McpAnswer(ToolOutput.Error($"The session has no MCP server '{target.Server}' any more."), null);

    /// <summary>The call's result when it must not run; null when it may, and then what it needs stands.</summary>
    /// <param name="wasSent">It went to its MCP server once, and has no result.</param>
    private async Task<ToolOutput?> Refuse(Call call, bool wasSent, CancellationToken cancellationToken) =>
        call.IsDenied ? ToolOutput.Error(Denial(call))
        : wasSent && call.Mcp is { CanRepeat: false } mcp ? ToolOutput.Error(
            $"The server was stopped while this call of {mcp.Server} was on its way, so its outcome is unknown. "
            + "Check before you repeat it.")
        : BuiltinTools.IsSandboxed(call.Name) ? await TryOpen(call, cancellationToken) : null;

    /// <summary>A long result of what runs here is kept in the sandbox, where the agent has one.</summary>
    private async Task<ToolOutput> Shorten(Call call, ToolOutput output, CancellationToken cancellationToken)
    {
        var hasSandbox = !History.Session.IsSelfHosted
            && BuiltinTools.Sandboxed.Any(tool => Permission.IsEnabled(Agent.Tools, tool.Name))
            && await TryOpen(call, cancellationToken) is null;
        try
        {
            return await tools.Shorten(call.Id, output, hasSandbox, cancellationToken);
        }
        catch (SandboxException)
        {
            // It died meanwhile. The beginning is still worth reading.
            return await tools.Shorten(call.Id, output, hasSandbox: false, cancellationToken);
        }
    }

    /// <summary>
    /// After an interrupt: the open request has ended, the open calls have failed, the interrupt has taken effect, and
    /// the turn ends unless more input waits.
    /// </summary>
    public static List<object> EndInterrupted(ThreadLog log) =>
    [
        .. EndThread(log),

        // The end of an advisor, or of a thread of a plan, has what the session says.
        .. log.IsAdvisor || log.IsOfRun
            ? [] : (object[])[new Later(() => IdleSession(log.Session, StopReason.EndTurn))],
    ];

    /// <summary>The same, without what the session says: other threads may end with this one.</summary>
    public static List<object> EndThread(ThreadLog log)
    {
        var closing = Closing(log);
        closing.AddRange(log.History.Waiting.OfType<UserInterrupt>().Select(interrupt =>
            interrupt.SessionThreadId is null ? (object)log.Stamp(interrupt) : new Shown(log.Stamp(interrupt))));
        var redirect = log.History.Waiting
            .Where(waiting => waiting is not (UserInterrupt or AgentThreadMessageReceived)).Select(log.Stamp).ToList();
        closing.AddRange(redirect);
        if (redirect.Count == 0)
        {
            closing.AddRange(log switch
            {
                { IsAdvisor: true } => [new Later(() => EndConsultation(log, advice: null))],
                { IsOfRun: true } =>
                    Finish(log, StopReason.EndTurn, failure: "The user interrupted the agent."),
                _ => [IdleThread(log, StopReason.EndTurn, null)],
            });
        }
        else if (log.History.Status != SessionStatus.Running)
        {
            closing.AddRange(Running(log));
        }

        return closing;
    }

    /// <summary>
    /// The entries that end what is open: the request to the model, the calls, which failed, and the outcome.
    /// </summary>
    public static List<object> Closing(ThreadLog log, bool isError = false)
    {
        var closing = new List<object>();
        if (log.History.OpenRequestId is { } open)
        {
            closing.Add(RequestEnd(log.Agent, open, isError, new Models.ModelUsage()));
        }

        closing.AddRange(log.History.Round.Where(call => call.IsOpen)
            .Select(call => Result(call, ToolOutput.Error(Interrupted))));
        closing.AddRange(CloseOutcome(log, isError));
        return closing;
    }

    private static string Denial(Call call) => call.Permission == "deny"
        ? call.DenyMessage ?? History.DeniedBeforePolicy
        : "The user denied this call." + (call.DenyMessage is { Length: > 0 } message ? $" They said: {message}" : "");

    private static object Result(Call call, ToolOutput output) => call switch
    {
        { IsPlatform: true } => new PlatformResult(call.Id, Text(output), output.IsError),
        { IsCustom: true } => new UserCustomToolResult
        {
            CustomToolUseId = call.Id, Content = output.Content, IsError = output.IsError,
        },
        { Mcp: not null } => new AgentMcpToolResult
        {
            McpToolUseId = call.Id, Content = output.Content, IsError = output.IsError,
        },
        _ => new AgentToolResult { ToolUseId = call.Id, Content = output.Content, IsError = output.IsError },
    };

    private static string Text(ToolOutput output) =>
        string.Concat(output.Content.OfType<TextBlock>().Select(block => block.Text));

    /// <summary>A call that has run.</summary>
    /// <param name="Fault">Why its MCP server could not be used, when that is so.</param>
    private sealed record Ran(Call Call, ToolOutput Output, McpFault? Fault);
}
