using System.Text;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>Whom an agent can give work to, and where others have worked: what <c>list_agents</c> tells.</summary>
internal static class ThreadList
{
    public static string Of(Roster roster, SessionLog session)
    {
        var text = new StringBuilder("Agents:");
        foreach (var agent in roster.Subagents)
        {
            text.Append($"\n- {agent.Name}");
            if (agent.Description is { Length: > 0 } description)
            {
                text.Append($": {description}");
            }
        }

        text.Append(roster.Subagents.Count == 0 ? " none are predefined." : "")
            .Append(roster.CanDefineSubagents ? "\nYou can also make up agents with new_agent." : "")
            .Append("\nThreads:");
        var threads = Open(session).ToList();
        foreach (var thread in threads)
        {
            text.Append($"\n- {thread.ThreadId}: {thread.Agent.Name}, {Status(thread.History)}");
        }

        return text.Append(threads.Count == 0 ? " none yet." : "").ToString();
    }

    /// <summary>The thread that can be written to.</summary>
    /// <exception cref="PlatformCallException">There is none of this id.</exception>
    public static ThreadLog Find(SessionLog session, string threadId)
    {
        var thread = session.Find(threadId);
        return thread is null or { IsPrimary: true } or { IsAdvisor: true } or { IsOfRun: true }
            ? throw new PlatformCallException($"There is no thread {threadId}. list_agents shows those that there are.")
            : thread.History.Status == SessionStatus.Terminated
                ? throw new PlatformCallException(
                    $"Thread {threadId} has ended. Start another one by the agent's name.")
                : thread;
    }

    /// <summary>The agent of the roster that is called so.</summary>
    /// <exception cref="PlatformCallException">There is none.</exception>
    public static SavedAgent FindAgent(Roster roster, string? name) =>
        roster.Subagents.FirstOrDefault(agent => agent.Name == name || agent.Id == name)
        ?? throw new PlatformCallException(name is null
            ? "One of agent and thread_id is required."
            : $"There is no agent '{name}'. list_agents shows those that there are.");

    /// <summary>How many threads count against the limit: advisors and those of workflow runs do not.</summary>
    public static int CountOpen(SessionLog session) => Open(session).Count();

    private static IEnumerable<ThreadLog> Open(SessionLog session) => session.Threads.Where(thread =>
        thread is { IsPrimary: false, IsAdvisor: false, IsOfRun: false }
        && thread.History.Status != SessionStatus.Terminated);

    private static string Status(History history) => history switch
    {
        { Status: SessionStatus.Idle, Round.Count: > 0 } => "waits for the user",
        { Status: SessionStatus.Idle, StopReason.Type: "budget_reached" } => "paused at the budget",
        { Status: SessionStatus.Idle } => "idle",
        _ => "running",
    };
}
