using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Wire.Content;
using Tenon.Wire.Events;

namespace Tenon.Server.Sessions;

/// <summary>
/// What a client may send to a session in a given state (api C.1). It decides for the whole batch before anything is
/// written: a bad event changes nothing.
/// </summary>
public static class SessionInput
{
    private const int SystemBlocksMax = 1_000;

    /// <summary>Refuses the batch, or returns.</summary>
    /// <exception cref="ApiException">400 with the event's place.</exception>
    public static void Check(IReadOnlyList<SessionEvent> events, SessionLog log)
    {
        if (events.Count == 0)
        {
            throw ApiException.Invalid("events", "must not be empty.");
        }

        var answered = new HashSet<string>();
        for (var i = 0; i < events.Count; i++)
        {
            Check($"events.{i}", events[i], log, answered);
            CheckThread($"events.{i}", events[i], log);
            CheckSystem($"events.{i}", events, i, log.History);
            OutcomeRules.CheckAlone($"events.{i}", events, i, log.History.Outcomes.Active);
        }
    }

    private static void Check(string path, SessionEvent @event, SessionLog log, HashSet<string> answered)
    {
        switch (@event)
        {
            case UserMessage message:
                SessionRules.CheckContent($"{path}.content", message.Content);
                break;
            case SystemMessage message:
                CheckSystemContent($"{path}.content", message);
                break;
            case UserInterrupt:
                break;
            case UserToolConfirmation confirmation:
                CheckConfirmation(path, confirmation);
                CheckWaits($"{path}.tool_use_id", confirmation.ToolUseId, @event.Type, log, answered);
                break;
            case UserCustomToolResult result:
                CheckResult($"{path}.content", result.Content);
                CheckWaits($"{path}.custom_tool_use_id", result.CustomToolUseId, @event.Type, log, answered);
                break;
            case UserToolResult when !log.History.IsSelfHosted:
                throw ApiException.Invalid(path, "user.tool_result is only for sessions in self_hosted environments.");
            case UserToolResult result:
                CheckResult($"{path}.content", result.Content);
                CheckWaits($"{path}.tool_use_id", result.ToolUseId, @event.Type, log, answered);
                break;
            case UserDefineOutcome:
                break;
            default:
                throw ApiException.Invalid($"{path}.type", $"'{@event.Type}' is not an event that clients send.");
        }
    }

    /// <summary>The call that an event answers; null for one that answers none.</summary>
    public static string? CallOf(SessionEvent @event) => @event switch
    {
        UserToolConfirmation confirmation => confirmation.ToolUseId,
        UserCustomToolResult result => result.CustomToolUseId,
        UserToolResult result => result.ToolUseId,
        _ => null,
    };

    /// <summary>The thread whose model made a call that is open; null for none.</summary>
    public static ThreadLog? ThreadOf(string callId, SessionLog log) => log.Threads.FirstOrDefault(thread =>
        thread.History.Status != SessionStatus.Terminated && thread.History.Round.Any(call => call.Id == callId));

    private static void CheckThread(string path, SessionEvent @event, SessionLog log)
    {
        if (@event is UserInterrupt { SessionThreadId: { } id }
            && log.Find(id) is null or { History.Status: SessionStatus.Terminated })
        {
            throw ApiException.Invalid($"{path}.session_thread_id", $"the session has no thread '{id}'.");
        }
    }

    private static void CheckConfirmation(string path, UserToolConfirmation confirmation)
    {
        if (confirmation.Result is not ("allow" or "deny"))
        {
            throw ApiException.Invalid($"{path}.result", $"'{confirmation.Result}' is neither allow nor deny.");
        }

        if (confirmation is { Result: "allow", DenyMessage: not null })
        {
            throw ApiException.Invalid($"{path}.deny_message", "goes only with deny.");
        }
    }

    private static void CheckWaits(string path, string id, string type, SessionLog log, HashSet<string> answered)
    {
        var awaits = ThreadOf(id, log)?.History.Round.First(call => call.Id == id).Awaits;
        if (awaits is not null && awaits != type)
        {
            throw ApiException.Invalid(path, $"no call '{id}' waits for this answer: it waits for a {awaits}.");
        }

        if (awaits is null || !answered.Add(id))
        {
            throw ApiException.Invalid(
                path, $"no call '{id}' waits for this answer: it is unknown, or already answered.");
        }
    }

    private static void CheckResult(string path, IReadOnlyList<ContentBlock>? content)
    {
        for (var i = 0; i < content?.Count; i++)
        {
            if (content[i] is not (TextBlock or ImageBlock or DocumentBlock or SearchResultBlock))
            {
                throw ApiException.Invalid($"{path}.{i}.type",
                    $"'{content[i].Type}' is not one of text, image, document, search_result.");
            }
        }
    }

    private static void CheckSystemContent(string path, SystemMessage message)
    {
        if (message.Content.Count is 0 or > SystemBlocksMax || message.Content.Any(block => block.Type != "text"))
        {
            throw ApiException.Invalid(path, $"must be 1 to {SystemBlocksMax} text blocks.");
        }
    }

    private static void CheckSystem(string path, IReadOnlyList<SessionEvent> events, int i, SessionHistory history)
    {
        if (events[i] is not SystemMessage)
        {
            return;
        }

        var follows = i > 0 && events[i - 1] is UserMessage or UserCustomToolResult or UserToolResult;
        if (!follows || i != events.Count - 1)
        {
            throw ApiException.Invalid(path,
                "a system.message must be the last event and directly follow a user.message or a tool result.");
        }

        if (history.StopReason?.Type == "requires_action" && events[i - 1] is UserMessage)
        {
            throw ApiException.Invalid(path, "while calls wait, a system.message may only follow a tool result.");
        }
    }
}
