using System.Text.Json;
using Tenon.Server.Billing;
using Tenon.Server.Events;
using Tenon.Server.Models;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// One session's log in the hands of its owner: it numbers and stamps entries, folds them into the
/// <see cref="History"/>, and appends them together with the session's row.
/// </summary>
/// <remarks>
/// The history is ahead of the disk by what is being flushed. That is safe because nothing is shown before it is
/// durable and, when an append fails, the owner drops this object and reads the log again. Not thread-safe: one owner.
/// </remarks>
public sealed class SessionLog(
    EventLog log, string sessionId, string threadId, IdSource ids, TimeProvider clock)
{
    /// <summary>Entries read at a time when the history is loaded.</summary>
    private const int LoadPageMax = 1_000;

    public string SessionId => sessionId;

    public string ThreadId => threadId;

    public History History { get; } = new();

    /// <summary>Makes the row that is saved with every append. Set by the owner, which knows the definition.</summary>
    public required Func<History, DateTimeOffset, SaveKind, SessionRow> Row { get; init; }

    public required Prices Prices { get; init; }

    /// <summary>
    /// The budget in the session's row. Changes are in the log too, and the row is saved with them.
    /// </summary>
    public Budget? Budget { init => History.Budget = value; }

    /// <summary>Whether the session's environment is <c>self_hosted</c>.</summary>
    public bool IsSelfHosted { init => History.IsSelfHosted = value; }

    public DateTimeOffset Now => clock.GetUtcNow();

    public SessionUsage Usage => History.Usage.At(Now.ToMicroseconds(), Prices);

    /// <summary>The exact cost up to now, in US dollars.</summary>
    public decimal CostUsd => History.Usage.CostUsd(Now.ToMicroseconds(), Prices);

    /// <summary>Whether the budget is used up, or cannot measure the session; never without a budget.</summary>
    public bool IsAtBudget =>
        History.Budget is { } budget && (History.Usage.HasUnpriced || CostUsd >= Prices.ToUsd(budget.MaxListCost));

    public string NextId() => ids.Next(IdPrefix.Event);

    /// <summary>Folds everything that is durable into the history.</summary>
    public async Task Load(CancellationToken cancellationToken)
    {
        while (true)
        {
            var page = await log.ReadAll(sessionId, History.Seq, LoadPageMax, cancellationToken);
            foreach (var entry in page)
            {
                History.Apply(entry, Decode(entry));
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

    /// <summary>Appends events and internal records together; completes when they are durable.</summary>
    /// <remarks>
    /// Events without an id get one; those without a time get one too unless they wait (<see cref="Waiting"/>).
    /// </remarks>
    public Task Append(params IReadOnlyList<object> contents) => Append(contents, SaveKind.State);

    /// <inheritdoc cref="Append(IReadOnlyList{object})"/>
    public Task Append(IReadOnlyList<object> contents, SaveKind save, bool purge = false)
    {
        var now = Now;
        var expected = History.Seq;
        var entries = new List<LogEntry>(contents.Count);
        foreach (var content in contents.SelectMany(Expand))
        {
            var stamped = Fill(content, now);
            var entry = Encode(stamped, History.Seq + 1, now.ToMicroseconds());
            History.Apply(entry, stamped is Waiting waiting ? waiting.Event : stamped);
            entries.Add(entry);
        }

        return log.Append(new LogAppend
        {
            Session = sessionId,
            ExpectedSeq = expected,
            Entries = entries,
            Save = new SessionSave(Row(History, now, save), save),
            Purge = purge,
        });
    }

    // Lazy, so that each is asked for when all that stands before it has been folded in.
    private static IEnumerable<object> Expand(object content) =>
        content is Later later ? later.Contents().SelectMany(Expand) : [content];

    private object Fill(object content, DateTimeOffset now) => content switch
    {
        SessionEvent @event => @event with { Id = @event.Id ?? NextId(), ProcessedAt = @event.ProcessedAt ?? now },
        Waiting waiting => waiting with { Event = waiting.Event with { Id = waiting.Event.Id ?? NextId() } },
        _ => content,
    };

    private LogEntry Encode(object content, long seq, long at) => content switch
    {
        SessionEvent @event => Encode(@event, seq, at),
        Waiting waiting => Encode(waiting.Event, seq, at),
        ModelAnswer answer => new LogEntry(seq, threadId, NextId(), LogTypes.ModelAnswer, at,
            JsonSerializer.Serialize(answer, LogJson.Default.ModelAnswer), true),
        SandboxOpened opened => new LogEntry(seq, threadId, NextId(), LogTypes.SandboxOpened, at,
            JsonSerializer.Serialize(opened, LogJson.Default.SandboxOpened), true),
        ModelSwitched switched => new LogEntry(seq, threadId, NextId(), LogTypes.ModelSwitched, at,
            JsonSerializer.Serialize(switched, LogJson.Default.ModelSwitched), true),
        Compacted compacted => new LogEntry(seq, threadId, NextId(), LogTypes.Compacted, at,
            JsonSerializer.Serialize(compacted, LogJson.Default.Compacted), true),
        SnapshotTaken snapshot => new LogEntry(seq, threadId, NextId(), LogTypes.Snapshot, at,
            JsonSerializer.Serialize(snapshot, LogJson.Default.SnapshotTaken), true),
        Forked forked => new LogEntry(seq, threadId, NextId(), LogTypes.Forked, at,
            JsonSerializer.Serialize(forked, LogJson.Default.Forked), true),
        McpListed listed => new LogEntry(seq, threadId, NextId(), LogTypes.McpListed, at,
            JsonSerializer.Serialize(listed, LogJson.Default.McpListed), true),
        McpSent sent => new LogEntry(seq, threadId, NextId(), LogTypes.McpSent, at,
            JsonSerializer.Serialize(sent, LogJson.Default.McpSent), true),
        _ => throw new ArgumentException($"{content.GetType().Name} is not something the log keeps.", nameof(content)),
    };

    private LogEntry Encode(SessionEvent @event, long seq, long at) => new(
        seq, threadId, @event.Id!, @event.Type, at,
        JsonSerializer.Serialize(@event, WireJson.Default.SessionEvent), false);

    internal static object Decode(LogEntry entry) => entry.Type switch
    {
        LogTypes.ModelAnswer => JsonSerializer.Deserialize(entry.Body, LogJson.Default.ModelAnswer)!,
        LogTypes.SandboxOpened => JsonSerializer.Deserialize(entry.Body, LogJson.Default.SandboxOpened)!,
        LogTypes.ModelSwitched => JsonSerializer.Deserialize(entry.Body, LogJson.Default.ModelSwitched)!,
        LogTypes.Compacted => JsonSerializer.Deserialize(entry.Body, LogJson.Default.Compacted)!,
        LogTypes.Snapshot => JsonSerializer.Deserialize(entry.Body, LogJson.Default.SnapshotTaken)!,
        LogTypes.Forked => JsonSerializer.Deserialize(entry.Body, LogJson.Default.Forked)!,
        LogTypes.McpListed => JsonSerializer.Deserialize(entry.Body, LogJson.Default.McpListed)!,
        LogTypes.McpSent => JsonSerializer.Deserialize(entry.Body, LogJson.Default.McpSent)!,
        _ when entry.Internal => entry,
        _ => JsonSerializer.Deserialize(entry.Body, WireJson.Default.SessionEvent)!,
    };
}

/// <summary>Contents that are only known once those before them, of the same append, have been folded in.</summary>
public sealed record Later(Func<IReadOnlyList<object>> Contents);

/// <summary>A client's event that waits behind the running turn: it is stored with <c>processed_at</c> null.</summary>
public sealed record Waiting(SessionEvent Event);
