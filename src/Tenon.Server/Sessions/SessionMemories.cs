using System.Collections.Concurrent;
using System.ComponentModel;
using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Sessions;

/// <summary>
/// The memory stores of sessions that have a sandbox, as files of it: placed before it begins, kept the same while it
/// lives, looked at once more when it has ended.
/// </summary>
/// <remarks>
/// A look waits for a call to end, or for the word of a sandbox or of a store that something has changed. Which
/// sessions there are is known from those that were placed or looked at here, so a store's change reaches those that
/// live and costs nothing for all others.
/// </remarks>
public sealed partial class SessionMemories(
    MemoryStore store, SessionStore sessions, SandboxProvider sandboxes, TimeProvider clock,
    ILogger<SessionMemories> logger) : IDisposable
{
    /// <summary>Runs of one look. A sandbox that changes files faster than they are read is looked at later.</summary>
    private const int RunsMax = 3;

    private readonly ConcurrentDictionary<string, IReadOnlyList<SandboxMemory>> _present = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, MemoryBudget> _budgets = new(StringComparer.Ordinal);
    private readonly StripedLock _looking = new();

    /// <summary>The stores that sessions which live have.</summary>
    public IReadOnlyCollection<string> Stores =>
        _present.Values.SelectMany(memories => memories.Select(memory => memory.StoreId)).ToHashSet();

    /// <summary>The sessions that live and have a store.</summary>
    public IReadOnlyList<string> Having(string storeId) =>
        [.. _present.Where(session => session.Value.Any(memory => memory.StoreId == storeId))
            .Select(session => session.Key)];

    public void Dispose() => _looking.Dispose();

    /// <summary>Which stores a session's sandbox has, and where.</summary>
    internal static IReadOnlyList<SandboxMemory> Of(SessionDefinition definition) => definition.IsSelfHosted ? []
        : [.. definition.Memories.Select(resource => new SandboxMemory(
            resource.MemoryStoreId, resource.MountPath, resource.Access == MemoryResourceRules.ReadWrite))];

    /// <summary>Before a life begins. What an earlier one has left is taken first.</summary>
    /// <exception cref="SandboxException">The files could not be made.</exception>
    internal async Task Place(
        SandboxFolder folder, IReadOnlyList<SandboxMemory> memories, CancellationToken cancellationToken)
    {
        using var turn = await _looking.Enter(folder.Name, cancellationToken);
        try
        {
            using var files = await Task.Run(() => MemoryFolder.Make(folder), cancellationToken);
            foreach (var memory in memories)
            {
                using var tree = files.Tree(memory.StoreId);
                if (tree is null || MemoryMirror.Read(files, memory.StoreId, folder.Name) is null)
                {
                    files.Reset(memory.StoreId);
                    MemoryMirror.Empty(folder.Name).Write(files, memory.StoreId);
                }

                await Run(files, memory, folder.Name, cancellationToken);
            }

            _present[folder.Name] = memories;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or Win32Exception
            || DatabaseFault.IsOutage(exception))
        {
            // A sandbox without its memory would mislead the model; the next call tries again.
            throw new SandboxException($"The session's memory could not be placed: {exception.Message}", exception);
        }
    }

    /// <summary>When a life has ended, and its files are still there.</summary>
    internal async Task Leave(SandboxFolder folder)
    {
        if (!_present.ContainsKey(folder.Name))
        {
            return;
        }

        try
        {
            await Look(folder.Name, CancellationToken.None);
        }
        catch (Exception exception)
        {
            // The end of a sandbox must not wait for the database. What is new is found when the next life begins.
            LogNotTaken(folder.Name, exception);
        }

        _present.TryRemove(folder.Name, out _);
        _budgets.TryRemove(folder.Name, out _);
    }

    /// <summary>Makes files and stores of a session the same, if it has any. False: another look is due.</summary>
    public async Task<bool> Look(string sessionId, CancellationToken cancellationToken)
    {
        if (await Memories(sessionId, cancellationToken) is not { Count: > 0 } memories)
        {
            return true;
        }

        using var turn = await _looking.Enter(sessionId, cancellationToken);
        using var files = MemoryFolder.Open(sandboxes.FolderOf(sessionId));
        var isDone = true;
        foreach (var memory in files is null ? [] : memories)
        {
            isDone &= await Run(files!, memory, sessionId, cancellationToken);
        }

        return isDone;
    }

    /// <summary>
    /// After a call: what it wrote is durable when the model reads its result. Answers what the model must know of it,
    /// or null.
    /// </summary>
    public async Task<string?> Save(string sessionId)
    {
        try
        {
            await Look(sessionId, CancellationToken.None);
            return await TakeNotes(sessionId);
        }
        catch (Exception exception)
        {
            // The call has run, and its result counts. The sandbox's word brings another look.
            LogNotTaken(sessionId, exception);
            return null;
        }
    }

    private async Task<string?> TakeNotes(string sessionId)
    {
        using var turn = await _looking.Enter(sessionId, CancellationToken.None);
        using var files = MemoryFolder.Open(sandboxes.FolderOf(sessionId));
        var notes = new List<string>();
        foreach (var memory in files is null ? [] : _present.GetValueOrDefault(sessionId) ?? [])
        {
            if (MemoryMirror.Read(files!, memory.StoreId, sessionId) is { } mirror
                && mirror.TakeNotes() is { Count: > 0 } taken)
            {
                notes.AddRange(taken);
                mirror.Write(files!, memory.StoreId);
            }
        }

        return notes.Count == 0 ? null : $"[Memory: {string.Join(' ', notes)}]";
    }

    private async Task<bool> Run(
        MemoryFolder files, SandboxMemory memory, string sessionId, CancellationToken cancellationToken)
    {
        if (MemoryMirror.Read(files, memory.StoreId, sessionId) is not { } mirror)
        {
            return true;
        }

        var budget = _budgets.GetOrAdd(sessionId, _ => new MemoryBudget(clock));
        for (var run = 0; run < RunsMax; run++)
        {
            if (await new MemorySync(store, files, memory, mirror, budget).Run(cancellationToken))
            {
                return true;
            }
        }

        return false;
    }

    private async Task<IReadOnlyList<SandboxMemory>> Memories(string sessionId, CancellationToken cancellationToken)
    {
        if (_present.TryGetValue(sessionId, out var known))
        {
            return known;
        }

        // Found again after a restart of the server.
        var found = await sessions.Find(sessionId, cancellationToken) is { } session ? Of(session.Definition) : [];
        if (found.Count > 0)
        {
            _present.TryAdd(sessionId, found);
        }

        return found;
    }

    [LoggerMessage(LogLevel.Warning, "The memory of {SessionId} was not looked at; it is tried again")]
    private partial void LogNotTaken(string sessionId, Exception exception);
}
