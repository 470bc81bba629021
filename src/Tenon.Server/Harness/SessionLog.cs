using Tenon.Server.Billing;
using Tenon.Server.Events;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// One session's log in the hands of its owner: it numbers and stamps entries, folds them into the
/// <see cref="SessionHistory"/> and the histories of its threads, and appends them together with the rows of both.
/// </summary>
/// <remarks>
/// The histories are ahead of the disk by what is being flushed. That is safe because nothing is shown before it is
/// durable and, when an append fails, the owner drops this object and reads the log again. Not thread-safe: one owner,
/// whose turns all run on one scheduler.
/// </remarks>
public sealed class SessionLog
{
    /// <summary>Entries read at a time when the history is loaded.</summary>
    private const int LoadPageMax = 1_000;

    private readonly EventLog _log;
    private readonly IdSource _ids;
    private readonly TimeProvider _clock;
    private readonly Dictionary<string, ThreadLog> _threads = new(StringComparer.Ordinal);
    private readonly List<ThreadLog> _inOrder = [];

    public SessionLog(EventLog log, string sessionId, string threadId, IdSource ids, TimeProvider clock)
    {
        (_log, SessionId, _ids, _clock) = (log, sessionId, ids, clock);
        Primary = new ThreadLog(this, threadId, started: null, clock.GetUtcNow());
        Add(Primary);
    }

    public string SessionId { get; }

    /// <summary>The thread that the client talks to.</summary>
    public ThreadLog Primary { get; }

    /// <summary>All threads there ever were, the primary first, then as they began.</summary>
    public IReadOnlyList<ThreadLog> Threads => _inOrder;

    public SessionHistory History { get; } = new();

    /// <summary>Makes the row that is saved with every append. Set by the owner, which knows the definition.</summary>
    public required Func<SessionHistory, DateTimeOffset, SaveKind, SessionRow> Row { get; init; }

    /// <summary>The primary thread's agent as it is now. Set by the owner.</summary>
    public required Func<SessionAgent> Agent { get; init; }

    public required Prices Prices { get; init; }

    /// <summary>
    /// The budget in the session's row. Changes are in the log too, and the row is saved with them.
    /// </summary>
    public Budget? Budget { init => History.Budget = value; }

    /// <summary>Whether the session's environment is <c>self_hosted</c>.</summary>
    public bool IsSelfHosted { init => History.IsSelfHosted = value; }

    /// <summary>Called after an append that gave a thread something to do which it had not before.</summary>
    public Action? Woken { get; set; }

    public DateTimeOffset Now => _clock.GetUtcNow();

    public SessionUsage Usage => History.Usage.At(Now.ToMicroseconds(), Prices);

    /// <summary>The exact cost up to now, in US dollars.</summary>
    public decimal CostUsd => History.Usage.CostUsd(Now.ToMicroseconds(), Prices);

    /// <summary>Whether the budget is used up, or cannot measure the session; never without a budget.</summary>
    public bool IsAtBudget =>
        History.Budget is { } budget && (History.Usage.HasUnpriced || CostUsd >= Prices.ToUsd(budget.MaxListCost));

    /// <summary>Whether any of its threads or workflow runs is at work.</summary>
    public bool IsActive => _inOrder.Exists(thread => SessionStatus.IsActive(thread.History.Status)) || Runs.IsDue;

    /// <summary>Its workflow runs.</summary>
    public WorkflowRuns Runs { get; } = new();

    public string NextId() => _ids.Next(IdPrefix.Event);

    public string NextThreadId() => _ids.Next(IdPrefix.Thread);

    public string NextRunId() => _ids.Next(IdPrefix.WorkflowRun);

    public string NextPhaseId() => _ids.Next(IdPrefix.WorkflowRunPhase);

    /// <summary>The thread of this id; null when the session has none.</summary>
    public ThreadLog? Find(string threadId) => _threads.GetValueOrDefault(threadId);

    /// <summary>Folds everything that is durable into the histories.</summary>
    public async Task Load(CancellationToken cancellationToken)
    {
        while (true)
        {
            var page = await _log.ReadAll(SessionId, History.Seq, LoadPageMax, cancellationToken);
            foreach (var entry in page)
            {
                Fold(entry, LogCodec.Decode(entry));
            }

            if (page.Count < LoadPageMax)
            {
                return;
            }
        }
    }

    /// <summary>Stamps an event as taking effect now.</summary>
    public SessionEvent Stamp(SessionEvent @event) =>
        @event with { Id = @event.Id ?? NextId(), ProcessedAt = Now };

    /// <summary>Appends events and internal records to the primary thread; completes when they are durable.</summary>
    public Task Append(params IReadOnlyList<object> contents) => Append(Primary, contents, SaveKind.State);

    /// <summary>Appends events and internal records together; completes when they are durable.</summary>
    /// <param name="thread">Whose they are, unless they say otherwise (<see cref="On"/>, <see cref="Shown"/>).</param>
    /// <remarks>
    /// Events without an id get one; those without a time get one too unless they wait (<see cref="Waiting"/>).
    /// </remarks>
    public Task Append(ThreadLog thread, IReadOnlyList<object> contents, SaveKind save, bool purge = false)
    {
        var now = Now;
        var expected = History.Seq;
        var entries = new List<LogEntry>(contents.Count);
        var known = _inOrder.Count;
        var changed = new HashSet<ThreadLog>();
        var isWoken = false;
        foreach (var (threadId, content) in contents.SelectMany(content => Expand(thread.ThreadId, content)))
        {
            var stamped = Fill(content, now);
            var entry = LogCodec.Encode(stamped, History.Seq + 1, threadId, now.ToMicroseconds(), NextId);
            Fold(entry, stamped is Waiting waiting ? waiting.Event : stamped);
            entries.Add(entry);
            isWoken |= stamped is ThreadStatusRunning or PlatformResult or ThreadStatusTerminated
                or WorkflowStarted or WorkflowResult;
            if (LogCodec.ChangesThread(stamped))
            {
                changed.Add(_threads[threadId]);
            }
        }

        var durable = _log.Append(new LogAppend
        {
            Session = SessionId,
            ExpectedSeq = expected,
            Entries = entries,
            Save = new SessionSave(Row(History, now, save), save),
            Threads = Rows(changed, save == SaveKind.Definition ? 0 : known, now),
            Purge = purge,
        });
        if (isWoken)
        {
            Woken?.Invoke();
        }

        return durable;
    }

    // A session of one thread is all in its own row; that thread has a row from when it has company.
    private IReadOnlyList<ThreadRow> Rows(IReadOnlySet<ThreadLog> changed, int known, DateTimeOffset now)
    {
        if (_inOrder.Count == 1)
        {
            return [];
        }

        var added = _inOrder.Skip(known == 1 ? 0 : known).ToList();
        return
        [
            .. added.Select(thread => thread.ToRow(now, isNew: true)),
            .. changed.Except(added).Select(thread => thread.ToRow(now, isNew: false)),
        ];
    }

    // Lazy, so that each is asked for when all that stands before it has been folded in.
    private IEnumerable<(string Thread, object Content)> Expand(string thread, object content) => content switch
    {
        Later later => later.Contents().SelectMany(one => Expand(thread, one)),
        On on => Expand(on.ThreadId, on.Content),
        Shown shown => Show(thread, shown),
        _ => [(thread, content)],
    };

    // Both are one event: what clients learn by its id in one stream holds in the other.
    private IEnumerable<(string Thread, object Content)> Show(string thread, Shown shown)
    {
        var @event = shown.Event with { Id = shown.Event.Id ?? NextId() };
        yield return (thread, @event);
        if (thread != Primary.ThreadId)
        {
            yield return (Primary.ThreadId, (shown.AsSeen?.Invoke(@event) ?? @event) with { Id = @event.Id });
        }
    }

    private object Fill(object content, DateTimeOffset now) => content switch
    {
        SessionEvent @event => @event with { Id = @event.Id ?? NextId(), ProcessedAt = @event.ProcessedAt ?? now },
        Waiting waiting => waiting with { Event = waiting.Event with { Id = waiting.Event.Id ?? NextId() } },
        _ => content,
    };

    private void Fold(LogEntry entry, object content)
    {
        if (content is ThreadStarted started)
        {
            Add(new ThreadLog(this, entry.Thread, started, Microseconds.FromMicroseconds(entry.At)));
        }

        History.Apply(entry, content);
        Runs.Apply(entry, content);
        if (content is SandboxOpened or Forked)
        {
            _inOrder.ForEach(thread => thread.History.Apply(entry, content));
        }
        else
        {
            _threads[entry.Thread].Apply(entry, content);
        }
    }

    private void Add(ThreadLog thread)
    {
        _threads.Add(thread.ThreadId, thread);
        _inOrder.Add(thread);
    }
}

/// <summary>Contents that are only known once those before them, of the same append, have been folded in.</summary>
public sealed record Later(Func<IReadOnlyList<object>> Contents);

/// <summary>
/// A client's event that waits behind the running turn: it is stored with <c>processed_at</c> null. So is a message of
/// another thread, which nobody sees before it is read.
/// </summary>
public sealed record Waiting(SessionEvent Event);

/// <summary>Something that belongs to another thread than the rest of its append.</summary>
public sealed record On(string ThreadId, object Content);

/// <summary>An event of a thread that the session's own stream shows too (api C.9).</summary>
/// <param name="AsSeen">Makes what that stream shows of it; null shows the same.</param>
public sealed record Shown(SessionEvent Event, Func<SessionEvent, SessionEvent>? AsSeen = null);
