using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>The entries by which threads begin and speak to each other (api C.9).</summary>
internal static class ThreadMessages
{
    /// <summary>A thread begins with its task.</summary>
    public static IReadOnlyList<object> Start(
        ThreadLog parent, string threadId, ThreadAgent agent, string task, string? workflowRunId) =>
    [
        new On(parent.ThreadId, new SessionThreadCreated
        {
            SessionThreadId = threadId, AgentName = agent.CalledName, WorkflowRunId = workflowRunId,
        }),
        new On(threadId, new ThreadStarted(agent, parent.ThreadId, workflowRunId)),
        new Later(() => Send(parent, parent.Session.Find(threadId)!, task)),
    ];

    /// <summary>
    /// A message, and the start of whom it finds idle. A thread that is at work, or waits for the client, reads it when
    /// it next asks its model; one that has ended never does.
    /// </summary>
    public static IReadOnlyList<object> Send(ThreadLog from, ThreadLog to, string text)
    {
        if (to.History.Status is SessionStatus.Terminated or SessionStatus.Deleted)
        {
            return [];
        }

        var received = Received(from, text);
        var isFree = to.History is { Status: SessionStatus.Idle, Round.Count: 0 };
        return
        [
            Sent(from, to, text),
            new On(to.ThreadId, isFree ? received : new Waiting(received)),
            .. isFree ? [new On(to.ThreadId, new Later(() => Turn.Running(to)))] : (object[])[],
        ];
    }

    /// <summary>Something of the platform's own, as a message comes.</summary>
    public static IReadOnlyList<object> Tell(ThreadLog to, string text)
    {
        if (to.History.Status is SessionStatus.Terminated or SessionStatus.Deleted)
        {
            return [];
        }

        var told = new Told(text) { Id = to.NextId() };
        return to.History is { Status: SessionStatus.Idle, Round.Count: 0 }
            ? [new On(to.ThreadId, told), new On(to.ThreadId, new Later(() => Turn.Running(to)))]
            : [new On(to.ThreadId, told with { Waits = true })];
    }

    /// <summary>A message that changes nothing of what its reader does.</summary>
    public static IReadOnlyList<object> Deliver(ThreadLog from, ThreadLog to, string text) =>
        [Sent(from, to, text), new On(to.ThreadId, Received(from, text))];

    private static On Sent(ThreadLog from, ThreadLog to, string text) => new(from.ThreadId, new AgentThreadMessageSent
    {
        ToSessionThreadId = to.ThreadId,
        ToAgentName = to.IsPrimary ? null : to.Agent.Name,
        Content = [ContentBlock.Of(text)],
    });

    private static AgentThreadMessageReceived Received(ThreadLog from, string text) => new()
    {
        FromSessionThreadId = from.ThreadId,
        FromAgentName = from.IsPrimary ? null : from.Agent.Name,
        Content = [ContentBlock.Of(text)],
    };
}
