using Tenon.Server.Harness;
using Tenon.Wire.Events;

namespace Tenon.Server.Sessions;

/// <content>How a batch of a client's events is taken into the log.</content>
public sealed partial class SessionOwner
{
    /// <summary>
    /// The entries that accept a batch. What can take effect at once does; the rest waits in the log. The ids and the
    /// times that clients get back are those that are stored.
    /// </summary>
    private List<object> Accept(IReadOnlyList<SessionEvent> events)
    {
        var history = _log.History;
        var idle = history.Status == SessionStatus.Idle;
        var blocked = history.Round.Count > 0;

        // What the application says about results is for the same request to the model as the results themselves.
        var resolves = history.Round.All(call => !call.IsOpen
            || events.Any(@event => @event is not UserToolConfirmation && CallOf(@event) == call.Id));
        var entries = new List<object>();
        foreach (var @event in events.Select(@event => @event with { Id = _log.NextId(), ProcessedAt = null }))
        {
            var takesEffect = @event is UserToolConfirmation or UserCustomToolResult or UserToolResult
                || (idle && (!blocked || (@event is SystemMessage && resolves)));
            entries.Add(takesEffect ? _log.Stamp(@event) : new Waiting(@event));
        }

        var agent = Record().Definition.Agent;
        if (idle && blocked && events.Any(@event => @event is UserInterrupt))
        {
            // Nothing runs that would close the calls, and nobody would wake an idle session after a crash.
            entries.Add(new Later(() => Turn.EndInterrupted(agent, _log)));
            return entries;
        }

        if (!idle || !entries.Any(entry => entry is not (Waiting or UserInterrupt)))
        {
            return entries;
        }

        var remaining = history.Round.Where(call => WaitsBehind(call, events)).ToList();
        entries.AddRange(remaining.Count == 0
            ? Turn.Running(agent, _log)
            : Turn.Idle(agent, _log, StopReason.RequiresAction(remaining.ConvertAll(call => call.Id))));
        return entries;
    }

    // What the client has allowed in a sandbox of its own, it still has to run.
    private static bool WaitsBehind(Call call, IReadOnlyList<SessionEvent> events) => call.WaitsForClient
        && events.FirstOrDefault(@event => CallOf(@event) == call.Id) switch
        {
            null => true,
            UserToolConfirmation { Result: "allow" } => call.ClientRuns,
            _ => false,
        };

    private static string? CallOf(SessionEvent @event) => @event switch
    {
        UserToolConfirmation confirmation => confirmation.ToolUseId,
        UserCustomToolResult result => result.CustomToolUseId,
        UserToolResult result => result.ToolUseId,
        _ => null,
    };
}
