using Microsoft.EntityFrameworkCore;
using Tenon.Server.Storage;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <content>What agents do to the files of memories.</content>
public sealed partial class MemoryStore
{
    /// <summary>
    /// Makes what an agent did durable. Of two writers the later counts, and the text of the earlier one stays as a
    /// version. A deletion of what somebody has changed meanwhile is not made: nobody has seen what it would delete.
    /// </summary>
    /// <remarks>
    /// The same edits may come again after a crash, and then make no difference; also when others have gone on from
    /// what they made.
    /// </remarks>
    public Task<MemoryEdits?> Apply(
        string storeId, string sessionId, IReadOnlyList<MemoryEdit> edits, CancellationToken cancellationToken) =>
        Write<MemoryEdits?>(storeId, null, async writing =>
        {
            var actor = new SessionActor(sessionId);
            var refusals = new List<MemoryRefusal?>();
            foreach (var edit in edits)
            {
                refusals.Add(writing.Store.ArchivedAt is not null ? new MemoryRefusal.Archived()
                    : await Apply(writing, edit, actor, cancellationToken));
            }

            var before = writing.Store.Revision - 1;
            return new MemoryEdits(refusals, before, writing.IsDirty ? before + 1 : before);
        }, cancellationToken);

    private async Task<MemoryRefusal?> Apply(
        Writing writing, MemoryEdit edit, SessionActor actor, CancellationToken cancellationToken)
    {
        var memory = await At(writing, edit.Path, cancellationToken);
        switch (edit)
        {
            case MemoryEdit.Write write:
                return await Apply(writing, memory, write, actor, cancellationToken);
            case MemoryEdit.Move move when memory is not null && memory.Sha256 == move.Base
                && await At(writing, move.To, cancellationToken) is null:
                return (await Change(writing, memory, move.To, move.Content, actor, cancellationToken)).Refusal;
            case MemoryEdit.Move move:
                await RemoveIfSame(writing, memory, move, actor, cancellationToken);
                return await Apply(
                    writing, new MemoryEdit.Write(move.To, null, move.Content), actor, cancellationToken);
            default:
                await RemoveIfSame(writing, memory, edit, actor, cancellationToken);
                return null;
        }
    }

    private async Task<MemoryRefusal?> Apply(
        Writing writing, MemoryRow? memory, MemoryEdit.Write write, SessionActor actor,
        CancellationToken cancellationToken)
    {
        var hash = Hash(write.Content);
        if (memory?.Sha256 == hash)
        {
            return null;
        }

        // Others went on from what this session had written before a crash kept it from knowing that it had.
        if (memory?.Sha256 != write.Base && await LastOf(writing, write.Path, actor, cancellationToken) == hash)
        {
            return null;
        }

        return (memory is null
            ? await Add(writing, write.Path, write.Content, actor, cancellationToken)
            : await Change(writing, memory, write.Path, write.Content, actor, cancellationToken)).Refusal;
    }

    private async Task RemoveIfSame(
        Writing writing, MemoryRow? memory, MemoryEdit edit, SessionActor actor, CancellationToken cancellationToken)
    {
        if (memory is not null && memory.Sha256 == edit.Base)
        {
            await Remove(writing, memory, actor, cancellationToken);
        }
    }

    private static Task<MemoryRow?> At(Writing writing, string path, CancellationToken cancellationToken) =>
        writing.Context.Memories.SingleOrDefaultAsync(
            row => row.StoreId == writing.Store.Id && row.Path == path, cancellationToken);

    private static Task<string?> LastOf(
        Writing writing, string path, SessionActor actor, CancellationToken cancellationToken) =>
        writing.Context.MemoryVersions
            .Where(row => row.StoreId == writing.Store.Id && row.ActorType == SessionActor.Kind
                && row.ActorId == actor.SessionId && row.Path == path)
            .OrderByDescending(row => row.Id).Select(row => row.Sha256).FirstOrDefaultAsync(cancellationToken);
}

/// <summary>What came of an agent's edits.</summary>
/// <param name="Refusals">One for each edit; null where it stands.</param>
/// <param name="Before">The store's revision before them.</param>
/// <param name="After">And after them; the same when nothing was changed.</param>
public sealed record MemoryEdits(IReadOnlyList<MemoryRefusal?> Refusals, long Before, long After);
