using System.Text;
using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tools;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <content>Agents that work together: what the primary thread asks of others, and their reports (api C.9).</content>
public sealed partial class Turn
{
    private const string NothingSaid = "(The agent ended its turn without a word.)";

    private const string ConsultationFailed =
        "The advisor could not be consulted. Go on without its advice; you may ask again later.";

    private Roster Roster => _roster ??= log.IsPrimary ? Roster.Of(Agent) : Roster.None;

    private Roster? _roster;

    /// <summary>The tools of the platform that the thread's agent is offered.</summary>
    private IReadOnlyList<ModelTool> PlatformOffer =>
    [
        .. Roster.HasSubagents
            ? [PlatformTools.List, Roster.CanDefineSubagents ? PlatformTools.SendOrDefine : PlatformTools.Send]
            : (ModelTool[])[],
        .. Roster.HasWorkflows ? [PlatformTools.Start, PlatformTools.Stop] : (ModelTool[])[],
        .. Roster.AdvisorModel is null ? [] : (ModelTool[])[PlatformTools.Consult],
    ];

    private ToolOffer Offer => new(tools.WebTools, PlatformOffer);

    private bool IsPlatform(ModelToolUse use) => PlatformOffer.Any(tool => tool.Name == use.Name);

    /// <summary>
    /// What a call of a platform tool does, all of it in one append with its result: a crash leaves the call open, or
    /// done once.
    /// </summary>
    private IReadOnlyList<object> RunPlatform(Call call)
    {
        try
        {
            return call.Name switch
            {
                PlatformTools.ListAgents => [Ok(call, ThreadList.Of(Roster, log.Session))],
                PlatformTools.SendToAgent => SendToAgent(call),
                PlatformTools.ConsultAdvisor => Consult(call),
                PlatformTools.StartRun => StartRun(call),
                PlatformTools.StopRun => StopRun(call),
                _ => throw new PlatformCallException($"There is no tool {call.Name}."),
            };
        }
        catch (PlatformCallException exception)
        {
            return [new PlatformResult(call.Id, exception.Message, true)];
        }
    }

    private IReadOnlyList<object> SendToAgent(Call call)
    {
        var input = PlatformInput.Of(call.Input);
        var message = input.Text("message", PlatformInput.MessageMax)
            ?? throw new PlatformCallException("message is required.");
        if (input.Text("thread_id", PlatformInput.NameMax) is { } id)
        {
            var to = ThreadList.Find(log.Session, id);
            return
            [
                .. ThreadMessages.Send(log, to, message),
                Ok(call, $"Sent to {to.Agent.Name} in thread {id}. Its answer will come as a message."),
            ];
        }

        ThreadAgent agent = input.HasNewAgent
            ? Roster.CanDefineSubagents ? input.NewAgent(Agent)
                : throw new PlatformCallException("You cannot make up agents. list_agents shows whom you can ask.")
            : ThreadList.FindAgent(Roster, input.Text("agent", PlatformInput.NameMax));
        if (ThreadList.CountOpen(log.Session) >= limits.ThreadsMax)
        {
            throw new PlatformCallException($"{limits.ThreadsMax} threads are open, and no more can be. Write to one "
                + "that is idle, by its thread_id: list_agents shows them.");
        }

        var threadId = log.Session.NextThreadId();
        return
        [
            .. ThreadMessages.Start(log, threadId, agent, message, workflowRunId: null),
            Ok(call, $"{agent.CalledName} has begun in thread {threadId}. Its answer will come as a message."),
        ];
    }

    /// <summary>
    /// Begins a consultation. The call stays open until the advisor's thread ends, which a restart only delays.
    /// </summary>
    private IReadOnlyList<object> Consult(Call call)
    {
        var question = PlatformInput.Of(call.Input).Text("question", PlatformInput.MessageMax)
            ?? throw new PlatformCallException("question is required.");
        var threadId = log.Session.NextThreadId();
        var advisor = new Advisor { Model = Roster.AdvisorModel! };
        return
        [
            new SessionThreadCreated { SessionThreadId = threadId, AgentName = advisor.CalledName },
            new On(threadId, new ThreadStarted(advisor, log.ThreadId, null)),
            new On(threadId, new Told(Consultation.Input(Agent, History.Messages, question))),
            new On(threadId, new Later(() => Running(log.Session.Find(threadId)!))),
            new Consulted(call.Id, threadId),
        ];
    }

    private static PlatformResult Ok(Call call, string text) => new(call.Id, text, false);

    /// <summary>What other agents sent while this one worked: it is told at its next request.</summary>
    private List<object> TakeMessages() =>
    [
        .. History.ToTell.Select(told => told with { Waits = false }),
        .. History.Waiting.Where(waiting => waiting is AgentThreadMessageReceived).Select(log.Stamp),
    ];

    private bool HasMessages =>
        History.ToTell.Count > 0 || History.Waiting.Any(waiting => waiting is AgentThreadMessageReceived);

    /// <summary>The entries that end the thread's turn for a reason of its own, with its report to whoever asked.
    /// </summary>
    /// <param name="failure">Why it could not go on; null when it has ended as it should.</param>
    /// <param name="isLast">Whether a thread beside the primary one ends with it (api C.6).</param>
    private static IReadOnlyList<object> Finish(
        ThreadLog log, StopReason reason, StopDetails? details = null, string? failure = null, bool isLast = false) =>
        log switch
    {
        { IsPrimary: true } => Idle(log, reason, details),
        { IsAdvisor: true } =>
        [
            new Later(() => EndConsultation(log, failure is null && details is null ? LastWords(log) : null)),
        ],
        { IsOfRun: true } =>
        [
            new Later(() => WorkflowSteps.Finish(log, failure ?? (details is not null ? "The agent refused."
                : LastWords(log) ?? NothingSaid), isError: failure is not null || details is not null)),
            IdleThread(log, reason, details),
            .. Terminated(log),
            new Later(() => IdleSession(log.Session, reason)),
        ],
        _ =>
        [
            new Later(() => ThreadMessages.Send(log, log.Session.Find(log.Started!.ParentId)!,
                failure is not null ? $"I could not finish: {failure}"
                : details is not null ? "I refused to go on with this." : LastWords(log) ?? NothingSaid)),
            IdleThread(log, reason, details),
            .. isLast ? Terminated(log) : [],
            new Later(() => IdleSession(log.Session, reason)),
        ],
    };

    /// <summary>The entries that end an advisor's thread.</summary>
    /// <param name="advice">What it said; null when it has failed or was interrupted.</param>
    private static IReadOnlyList<object> EndConsultation(ThreadLog log, string? advice)
    {
        var parent = log.Session.Find(log.Started!.ParentId)!;
        var call = parent.History.Round.FirstOrDefault(call => call.AwaitsThread == log.ThreadId && call.IsOpen);
        return
        [
            .. advice is null ? [] : ThreadMessages.Deliver(log, parent, advice),
            IdleThread(log, StopReason.EndTurn, null),
            .. Terminated(log),
            .. call is null ? [] : (object[])
            [
                new On(parent.ThreadId,
                    new PlatformResult(call.Id, advice ?? ConsultationFailed, advice is null)),
            ],
            new Later(() => IdleSession(log.Session, StopReason.EndTurn)),
        ];
    }

    /// <summary>What the agent said last; null when that is nothing.</summary>
    private static string? LastWords(ThreadLog log)
    {
        var text = new StringBuilder();
        if (log.History.Messages is [.., { Role: ModelRole.Assistant } last])
        {
            text.AppendJoin("\n", last.Content.OfType<ModelText>().Select(said => said.Text));
        }

        return text.Length > 0 ? text.ToString() : null;
    }
}
