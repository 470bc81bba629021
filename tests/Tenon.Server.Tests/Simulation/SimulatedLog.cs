using System.Text.Json;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Events;

namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// A log's table in memory that keeps what a database promises: a transaction takes its time, is whole or not at all,
/// and a crash in its middle leaves it as chance has it.
/// </summary>
internal sealed class SimulatedLog(World world) : IEventLog
{
    private readonly List<LogEntry> _entries = [];
    private readonly List<SessionEvent> _events = [];
    private IReadOnlyList<LogAppend>? _writing;

    /// <summary>Everything that is durable, internal entries included.</summary>
    public IReadOnlyList<LogEntry> Entries => _entries;

    /// <summary>What clients see of it, each event in every state it has had.</summary>
    public IReadOnlyList<SessionEvent> Events => _events;

    public bool IsOwner => true;

    /// <summary>The session's row as of the last transaction.</summary>
    public SessionRow? Row { get; private set; }

    public async Task<IReadOnlyList<SequenceConflictException?>> Write(IReadOnlyList<LogAppend> batch)
    {
        _writing = batch;
        await world.Pass(CancellationToken.None);
        _writing = null;
        return [.. batch.Select(Write)];
    }

    /// <summary>The process dies: the transaction that was on its way has reached the disk, or has not.</summary>
    public void Crash(Random random)
    {
        if (_writing is { } batch && random.Next(2) == 0)
        {
            _ = batch.Select(Write).ToList();
        }

        _writing = null;
    }

    public Task<IReadOnlyList<LogEntry>> ReadAll(
        string session, long afterSeq, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<LogEntry>>([.. _entries.Skip((int)afterSeq).Take(limit)]);

    public Task<long> Head(string session, CancellationToken cancellationToken) =>
        Task.FromResult((long)_entries.Count);

    public Task<IReadOnlyList<LogEntry>> List(LogQuery query, CancellationToken cancellationToken) =>
        throw new NotSupportedException("Nobody lists here.");

    private SequenceConflictException? Write(LogAppend append)
    {
        if (append.ExpectedSeq != _entries.Count)
        {
            return new SequenceConflictException(append.Session, append.ExpectedSeq, _entries.Count);
        }

        _entries.AddRange(append.Entries);
        _events.AddRange(append.Entries.Where(entry => !entry.Internal).Select(Decode));
        Row = append.Save switch
        {
            null => Row,
            { Kind: SaveKind.State, Row: var row } =>
                row with { Definition = Row?.Definition ?? world.Definition.ToJson() },
            var save => save.Row,
        };
        return null;
    }

    private static SessionEvent Decode(LogEntry entry) =>
        JsonSerializer.Deserialize(entry.Body, WireJson.Default.SessionEvent)!;
}
