using System.Text.Json;
using Tenon.Server.Http;
using Tenon.Wire.Content;
using Tenon.Wire.Events;

namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// A client that knows only what is durable: it sends its messages, answers calls that wait for it, and interrupts what
/// does not end. After a crash it looks at the log and sends again what is not in it, as a client without an answer
/// must.
/// </summary>
internal sealed class SimulatedClient(Scenario scenario, World world)
{
    private readonly Dictionary<string, PlannedCall> _planned = scenario.Answers.SelectMany(answer => answer)
        .ToDictionary(call => call.Name);

    private Task<string>? _sending;
    private int _nextAt = -1;

    /// <summary>Ids of events that the server has said it took.</summary>
    public List<string> Acknowledged { get; } = [];

    public bool IsDone => _sending is null && Sent() == scenario.Messages.Count && IsIdle();

    public bool CanAct => _sending is { IsCompleted: true } || (_sending is null && Next.Count > 0);

    /// <summary>The batches that could be sent now; found anew when the log has grown.</summary>
    private List<IReadOnlyList<SessionEvent>> Next
    {
        get
        {
            if (_nextAt != world.Log.Events.Count)
            {
                (field, _nextAt) = (FindNext(), world.Log.Events.Count);
            }

            return field;
        }
    } = [];

    public void Act()
    {
        if (_sending is null)
        {
            Send(Next[world.Random.Next(Next.Count)]);
            return;
        }

        var sent = _sending;
        _sending = null;
        if (scenario.IsChaotic && sent.Exception?.InnerException is ApiException)
        {
            return; // It answered a call that an interrupt had closed meanwhile.
        }

        Acknowledged.AddRange(JsonElement.Parse(sent.GetAwaiter().GetResult()).GetProperty("data").EnumerateArray()
            .Select(@event => @event.GetProperty("id").GetString()!));
    }

    /// <summary>Interrupts whatever goes on, if there is nothing else that it is about to say.</summary>
    public void Interrupt()
    {
        if (_sending is null && world.Log.Events.Count > 0)
        {
            Send([new UserInterrupt()]);
        }
    }

    private void Send(IReadOnlyList<SessionEvent> events) => _sending = world.Send(events);

    /// <summary>The connection broke with the server: whether it took the last batch is in the log.</summary>
    public void LoseConnection() => _sending = null;

    private List<IReadOnlyList<SessionEvent>> FindNext()
    {
        var next = new List<IReadOnlyList<SessionEvent>>();
        var events = world.Log.Events;
        if (Sent() < scenario.Messages.Count && MayFollow(scenario.Messages[Sent()], events))
        {
            next.Add(Batch(scenario.Messages[Sent()]));
        }

        var open = Open(events);
        next.AddRange(open.Select(Reply).OfType<SessionEvent>().Select(reply => (SessionEvent[])[reply]));
        var replies = open.Select(Reply).OfType<SessionEvent>().ToList();
        if (replies.Count > 1)
        {
            next.Add(replies);
        }

        if (IsStuck(open, events))
        {
            next.Add([new UserInterrupt()]);
        }

        return next;
    }

    // One message waits at a time: two that wait are answered together, and whether they meet is chance.
    private bool MayFollow(PlannedMessage message, IReadOnlyList<SessionEvent> events) =>
        !Unprocessed(events) && (message.Number == 0 || IsIdle()
            || (message.During >= 0 && Scenario.Next(events.Select(Said)) > message.During));

    private bool IsIdle() => world.Log.Events
        .LastOrDefault(@event => @event is SessionStatusIdle or SessionStatusRunning or SessionStatusRescheduled)
        is null or SessionStatusIdle { StopReason.Type: not "requires_action" };

    private static bool Unprocessed(IReadOnlyList<SessionEvent> events) =>
        events.OfType<UserMessage>().GroupBy(message => message.Id)
            .Any(states => states.All(state => state.ProcessedAt is null));

    private int Sent() => world.Log.Events.Where(@event => @event is UserMessage or UserDefineOutcome)
        .Select(message => message.Id).Distinct().Count();

    private static SessionEvent[] Batch(PlannedMessage message)
    {
        if (message.IsOutcome)
        {
            var rubric = new OutcomeRubric { Type = "text", Content = "It is as planned." };
            return [new UserDefineOutcome { Description = message.Text, Rubric = rubric }];
        }

        var user = new UserMessage { Content = [ContentBlock.Of(message.Text)] };
        return message is { HasSystem: true, During: < 0 }
            ? [user, new SystemMessage { Content = [ContentBlock.Of($"note {message.Number}")] }]
            : [user];
    }

    /// <summary>Calls without a result, oldest first.</summary>
    private static List<SessionEvent> Open(IReadOnlyList<SessionEvent> events)
    {
        var ended = events.Select(@event => @event switch
        {
            AgentToolResult result => result.ToolUseId,
            AgentMcpToolResult result => result.McpToolUseId,
            UserCustomToolResult result => result.CustomToolUseId,
            _ => null,
        }).ToHashSet();
        return [.. events.Where(@event =>
            @event is AgentToolUse or AgentMcpToolUse or AgentCustomToolUse && !ended.Contains(@event.Id))];
    }

    private SessionEvent? Reply(SessionEvent call)
    {
        var isAnswered = world.Log.Events.OfType<UserToolConfirmation>().Any(said => said.ToolUseId == call.Id);
        return call switch
        {
            AgentToolUse { EvaluatedPermission: "ask" } use when !isAnswered => Confirm(use),
            AgentCustomToolUse use => new UserCustomToolResult
            {
                CustomToolUseId = use.Id!, Content = [ContentBlock.Of("found")],
            },
            _ => null,
        };
    }

    private UserToolConfirmation Confirm(AgentToolUse use) => _planned[Marker(use)].IsAllowed
        ? new UserToolConfirmation { ToolUseId = use.Id!, Result = "allow" }
        : new UserToolConfirmation { ToolUseId = use.Id!, Result = "deny", DenyMessage = "not that one" };

    private bool IsStuck(List<SessionEvent> open, IReadOnlyList<SessionEvent> events) =>
        !scenario.IsTeam && open.OfType<AgentToolUse>()
            .FirstOrDefault(use => _planned[Marker(use)].Kind == CallKind.Endless) is { } endless
        && !events.SkipWhile(@event => @event.Id != endless.Id).Any(@event => @event is UserInterrupt);

    private static string Marker(AgentToolUse use) => use.Input.TryGetProperty("command", out var command)
        ? command.GetString()! : use.Input.GetProperty("file_path").GetString()!;

    private static string Said(SessionEvent @event) => @event switch
    {
        AgentMessage message => string.Concat(message.Content.OfType<TextBlock>().Select(block => block.Text)),
        _ => "",
    };
}
