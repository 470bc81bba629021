using Tenon.Server.Events;
using Tenon.Server.Models;
using Tenon.Server.Storage;
using Tenon.Server.Tools;
using Tenon.Server.Web;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// What a session's log says of one of its threads: the conversation as the model gets it, the calls that are open, the
/// inputs that wait, and what was used. A fold over the entries, so a restart that reads the log stands exactly where
/// the last owner stood.
/// </summary>
/// <param name="threadId">The thread's; entries of others that are shown in its stream change nothing of it.</param>
/// <param name="session">What all threads share.</param>
public sealed partial class History(string threadId, SessionHistory session)
{
    /// <summary>A compaction helped when the conversation comes below this share of what it was.</summary>
    private const double ShorterShare = 0.8;

    private const string SummaryHeading = "The conversation so far, in short:\n\n";

    private readonly List<ModelMessage> _messages = [];
    private readonly List<SessionEvent> _waiting = [];
    private readonly List<Told> _told = [];
    private List<Call> _round = [];
    private long? _tokensBeforeCompaction;

    /// <summary>The last sequence number folded in, of whatever thread it is.</summary>
    public long Seq => session.Seq;

    /// <summary>What all threads share.</summary>
    public SessionHistory Session => session;

    public string Status { get; private set; } = SessionStatus.Idle;

    /// <summary>The conversation. User and assistant alternate.</summary>
    public IReadOnlyList<ModelMessage> Messages => _messages;

    /// <summary>The newest answer's calls, in call order, until all have results.</summary>
    public IReadOnlyList<Call> Round => _round;

    /// <summary>What the platform has to say when the model is asked next.</summary>
    public IReadOnlyList<Told> ToTell => _told;

    /// <summary>Client events that wait behind the running turn, in order.</summary>
    public IReadOnlyList<SessionEvent> Waiting => _waiting;

    /// <summary>Whether the conversation ends with something the model has not answered.</summary>
    public bool NeedsAnswer { get; private set; }

    /// <summary>A model request that has begun and not ended.</summary>
    public string? OpenRequestId { get; private set; }

    /// <summary>Model requests that failed since the last one that did not.</summary>
    public int FaultsInARow { get; private set; }

    /// <summary>Tokens of the last request and its answer: about what the next request will have at least.</summary>
    public long ContextTokens { get; private set; }

    /// <summary>Compactions that have not made the conversation much shorter.</summary>
    public int CompactionsInARow { get; private set; }

    /// <summary>The model that this turn has fallen back to; null while it asks the agent's own.</summary>
    public string? Fallback { get; private set; }

    /// <summary>Nothing can go on before another thread has: calls wait for it, and no interrupt does.</summary>
    public bool IsSuspended => _round.Exists(call => call is { IsOpen: true, AwaitsThread: not null })
        && !_round.Exists(call => call.CanRun) && !_waiting.Exists(waiting => waiting is UserInterrupt);

    /// <summary>Answers with calls since the user's last input.</summary>
    public int ToolRounds { get; private set; }

    /// <summary>What the model has not been told yet of the sandbox's life; null when there is nothing.</summary>
    public string? SandboxNotice { get; private set; }

    /// <summary>Why the thread last went idle; null before that and while it runs.</summary>
    public StopReason? StopReason { get; private set; }

    /// <summary>What its last idle said of a refusal; null when it was none.</summary>
    public StopDetails? StopDetails { get; private set; }

    public UsageTotals Usage { get; } = new();

    /// <summary>Whether its calls bring anything new.</summary>
    public Progress Progress { get; } = new();

    /// <summary>What the MCP servers offer, and which calls went to them.</summary>
    public McpOffer Mcp { get; } = new();

    /// <summary>The URLs that the conversation has shown.</summary>
    public KnownUrls Urls { get; } = new();

    /// <summary>Folds one entry in. <paramref name="content"/> is its decoded body: an event or a record.</summary>
    public void Apply(LogEntry entry, object content)
    {
        switch (content)
        {
            case ModelAnswer answer:
                ApplyAnswer(answer);
                break;
            case Compacted compacted:
                ApplyCompaction(compacted);
                break;
            case ModelSwitched switched:
                (Fallback, FaultsInARow) = (switched.Model, 0);
                break;
            case SandboxOpened opened:
                SandboxNotice = opened.Notice;
                break;
            case McpListed listed:
                Mcp.Apply(listed);
                break;
            case McpSent sent:
                Mcp.Apply(sent);
                break;
            case Forked:
                Usage.Reset(entry.At);
                break;
            case PlatformResult result:
                Resolve(result.CallId, [ContentBlock.Of(result.Text)], result.IsError);
                break;
            case Consulted consulted:
                With(consulted.CallId, call => call.AwaitsThread = consulted.ThreadId);
                break;
            case Told { Waits: true } told:
                _told.Add(told);
                break;
            case Told told:
                _told.RemoveAll(waiting => waiting.Id == told.Id);
                if (told.Id == Told.Stuck)
                {
                    Progress.Warn();
                }

                AddUser([new ModelText(told.Text)]);
                (NeedsAnswer, ToolRounds) = (true, told.OutcomeId is null ? ToolRounds : 0);
                Urls.Note(UrlSources.UserInput, told.OutcomeId is null ? [] : session.Outcomes.Words);
                break;
            case GraderAnswer graded:
                AddUsage(graded.Usage, graded.IsUnpriced ? null : graded.CostUsd);
                break;
            case SessionEvent @event:
                ApplyEvent(@event, entry);
                break;
        }
    }

    private void ApplyEvent(SessionEvent @event, LogEntry entry)
    {
        switch (@event)
        {
            case UserMessage or SystemMessage or UserInterrupt or UserToolConfirmation or UserCustomToolResult
                or UserToolResult or AgentThreadMessageReceived:
                ApplyInput(@event);
                break;
            case ModelRequestStart:
                OpenRequestId = @event.Id;
                break;
            case ModelRequestEnd end:
                OpenRequestId = null;
                Measure(end);
                FaultsInARow = end.IsError == true ? FaultsInARow + 1 : 0;
                break;
            case AgentToolUse use:
                With(use.Id!, call => (call.Permission, call.DenyMessage, call.ClientRuns) =
                    (use.EvaluatedPermission ?? "allow", Denial(use.EvaluatedPermission, use.Evaluation),
                        session.IsSelfHosted && BuiltinTools.IsSandboxed(call.Name)));
                break;
            case AgentMcpToolUse use:
                With(use.Id!, call => (call.Permission, call.DenyMessage, call.Mcp) =
                    (use.EvaluatedPermission ?? "allow", Denial(use.EvaluatedPermission, use.Evaluation),
                        Mcp.Target(use.McpServerName, use.Name, call.Name)));
                break;
            case AgentCustomToolUse use:
                With(use.Id!, call => (call.IsCustom, call.ClientRuns) = (true, true));
                break;
            case AgentToolResult result:
                CountSearch(result);
                NoteUse(result);
                NoteUrls(UrlSources.ServerTool, result.ToolUseId, result.Content);
                Resolve(result.ToolUseId, result.Content, result.IsError);
                break;
            case AgentMcpToolResult result:
                With(result.McpToolUseId, call => session.NoteUse(call.Mcp is { IsSandboxed: true } ? Seq : null));
                Resolve(result.McpToolUseId, result.Content, result.IsError);
                break;
            default:
                ApplyStatus(@event, entry);
                break;
        }
    }

    internal const string DeniedBeforePolicy = "This tool is disabled for the agent, or it does not exist.";
    private const string DeniedAsRisky = "This call was judged to be of high risk and was not made. Find a safer way.";

    private static string? Denial(string? permission, Evaluation? evaluation) =>
        permission != "deny" ? null : evaluation is null ? DeniedBeforePolicy : DeniedAsRisky;

    private void ApplyCompaction(Compacted compacted)
    {
        AddUsage(compacted.Usage, compacted.IsUnpriced ? null : compacted.CostUsd);
        var kept = _messages.TakeLast(compacted.Kept).ToList();
        _messages.Clear();
        _messages.Add(new ModelMessage(ModelRole.User, [new ModelText(SummaryHeading + compacted.Summary)]));
        _messages.AddRange(kept);
        NeedsAnswer = true;
        CompactionsInARow++;
        _tokensBeforeCompaction ??= ContextTokens;
        ContextTokens = 0;
    }

    private void Measure(ModelRequestEnd end)
    {
        if (end.IsError == true)
        {
            return;
        }

        var usage = end.ModelUsage;
        ContextTokens = usage.InputTokens + usage.CacheReadInputTokens + usage.CacheCreationInputTokens
            + usage.OutputTokens;
        if (ContextTokens < _tokensBeforeCompaction * ShorterShare)
        {
            (_tokensBeforeCompaction, CompactionsInARow) = (null, 0);
        }
    }

    private void ApplyStatus(SessionEvent @event, LogEntry entry)
    {
        switch (@event)
        {
            case ThreadStatusRunning running when running.SessionThreadId == threadId:
                if (Status == SessionStatus.Idle)
                {
                    Mcp.Begin();
                }

                (Status, StopReason, StopDetails) = (SessionStatus.Running, null, null);
                Usage.Start(entry.At);
                break;
            case ThreadStatusRescheduled rescheduled when rescheduled.SessionThreadId == threadId:
                Status = SessionStatus.Rescheduling;
                Usage.Stop(entry.At);
                break;
            case ThreadStatusIdle idle when idle.SessionThreadId == threadId:
                // What a budget holds back is asked when the budget is raised or removed.
                NeedsAnswer &= idle.StopReason.Type == StopReason.BudgetReached.Type;
                (Status, StopReason, StopDetails) = (SessionStatus.Idle, idle.StopReason, idle.StopDetails);
                (Fallback, FaultsInARow) = (null, 0);
                Usage.Stop(entry.At);
                break;
            case ThreadStatusTerminated ended when ended.SessionThreadId == threadId:
                Status = SessionStatus.Terminated;
                Usage.Stop(entry.At);
                break;
            case SessionDeleted:
                Status = SessionStatus.Deleted;
                break;
        }
    }

    private void ApplyAnswer(ModelAnswer answer)
    {
        AddUsage(answer.Usage, answer.IsUnpriced ? null : answer.CostUsd);
        NeedsAnswer = false;
        Mcp.Forget();
        if (answer.Content.Count == 0)
        {
            return;
        }

        _messages.Add(new ModelMessage(ModelRole.Assistant, answer.Content));
        var uses = answer.Content.OfType<ModelToolUse>();
        _round = [.. uses.Zip(answer.CallIds, (use, id) => new Call
        {
            Id = id,
            ProviderId = use.Id,
            Name = use.Name,
            Input = use.Input,
            IsPlatform = answer.PlatformCallIds.Contains(id),
        })];
    }

    private void AddUsage(ModelUsage usage, decimal? costUsd)
    {
        Usage.Add(usage, costUsd);
        session.Usage.Add(usage, costUsd);
    }

    // Only a search that was made is billed.
    private void CountSearch(AgentToolResult result)
    {
        if (result.IsError != true && _round.Any(call => call.Id == result.ToolUseId && call.Name == "web_search"))
        {
            Usage.AddSearch();
            session.Usage.AddSearch();
        }
    }

    // What comes out of a sandbox counts for nothing: a model can write any URL there.
    private void NoteUrls(Func<string, string> source, string callId, IReadOnlyList<ContentBlock>? content)
    {
        if (_round.Find(call => call.Id == callId) is { } call && (call.IsCustom || WebTools.Has(call.Name)))
        {
            Urls.Note(source(call.Name), content ?? []);
        }
    }

    private void NoteUse(AgentToolResult result)
    {
        if (_round.Any(call => call.Id == result.ToolUseId && BuiltinTools.IsSandboxed(call.Name)))
        {
            session.NoteUse(Seq);
        }

        if (result.Content is [.., TextBlock { Text: var text }] && text == SandboxNotice)
        {
            SandboxNotice = null;
        }
    }
}
