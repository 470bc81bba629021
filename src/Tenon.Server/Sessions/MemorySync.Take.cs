using System.Text;
using System.Text.Unicode;
using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <content>From the files to the store: what the agent did.</content>
internal sealed partial class MemorySync
{
    private readonly List<(MemoryEdit Edit, string Stamp)> _edits = [];
    private long _editBytes;
    private bool _isDirty;

    private async Task<bool> Take(MemoryTree tree, CancellationToken cancellationToken)
    {
        var begun = mirror.Revision;
        TellStrange();
        var gone = Gone();
        var changed = _look.Files.Where(IsChanged).OrderBy(file => file.Key, StringComparer.Ordinal).ToList();
        var moved = Moves(changed, gone);

        // First what frees paths, and room.
        foreach (var path in gone.Except(moved.Values).ToList())
        {
            await Add(new MemoryEdit.Delete(path, mirror.Files[path].Sha256), "", 0, cancellationToken);
        }

        var isWhole = true;
        foreach (var (path, status) in changed)
        {
            isWhole &= await TakeFile(tree, path, status, moved.GetValueOrDefault(path), cancellationToken);
        }

        await Flush(cancellationToken);
        if (_isDirty)
        {
            Save();
        }

        // What had no room, or no path, may have it now.
        return isWhole && (mirror.Revision == begun
            || mirror.Told.Values.All(told => told.IsFinal || told.Revision == mirror.Revision));
    }

    private void TellStrange()
    {
        foreach (var path in mirror.Told.Where(told => told.Value.Stamp.Length > 0)
            .Select(told => told.Key)
            .Where(path => !_look.Files.ContainsKey(path) && !_look.Strange.ContainsKey(path)).ToList())
        {
            mirror.Told.Remove(path);
        }

        foreach (var (path, why) in _look.Strange)
        {
            Tell(path, "strange", $"{Inside(path)} is not saved: {why}.");
        }

        if (!_look.IsWhole && _look.Strange.Count == 0)
        {
            Tell("", "", $"{memory.Path} has more than is looked at, so that not all of it is saved.");
        }
    }

    private void Tell(string path, string stamp, string note, bool isFinal = true)
    {
        mirror.Tell(path, stamp, note, isFinal);
        _isDirty = true;
    }

    /// <summary>Files that were the same as the store and are there no more.</summary>
    private List<string> Gone()
    {
        if (!_look.IsWhole)
        {
            return [];
        }

        var missing = mirror.Files.Where(file => !_look.Files.ContainsKey(file.Key)
            && !_look.Strange.ContainsKey(file.Key)).ToList();

        // What was about to be removed, or to come, is none of the agent's doing.
        foreach (var (path, file) in missing.Where(file => file.Value.Next is "" || file.Value.Sha256.Length == 0))
        {
            mirror.Files.Remove(path);
        }

        return [.. missing.Select(file => file.Key).Where(mirror.Files.ContainsKey)];
    }

    private bool IsChanged(KeyValuePair<string, FileStatus> file)
    {
        var stamp = MemoryStamp.Of(file.Value);
        return mirror.Files.GetValueOrDefault(file.Key)?.Stamp != stamp && !mirror.IsRefused(file.Key, stamp);
    }

    /// <summary>Of files that have another name now, the old one by the new one.</summary>
    private Dictionary<string, string> Moves(
        IReadOnlyList<KeyValuePair<string, FileStatus>> changed, IReadOnlyList<string> gone)
    {
        var places = gone.ToLookup(path => MemoryStamp.InodeOf(mirror.Files[path].Stamp));
        var moves = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (path, status) in changed.Where(file => !mirror.Files.ContainsKey(file.Key)))
        {
            if (places[MemoryStamp.InodeOf(MemoryStamp.Of(status))].FirstOrDefault() is { } old
                && !moves.ContainsValue(old))
            {
                moves[path] = old;
            }
        }

        return moves;
    }

    /// <returns>False when it is being written to, so that another run is due.</returns>
    private async Task<bool> TakeFile(
        MemoryTree tree, string path, FileStatus status, string? movedFrom, CancellationToken cancellationToken)
    {
        var stamp = MemoryStamp.Of(status);
        if (MemoryRules.PathFault(path) is { } fault)
        {
            return Refuse(path, stamp, $"its path {fault.TrimEnd('.')}", movedFrom);
        }

        if (status.Size > MemoryLimits.ContentBytesMax)
        {
            return Refuse(path, stamp,
                $"it has {status.Size} bytes, and a memory has at most {MemoryLimits.ContentBytesMax}", movedFrom);
        }

        if (tree.Read(path) is not var (content, read) || content.Length > MemoryLimits.ContentBytesMax)
        {
            return false;
        }

        if (!Utf8.IsValid(content))
        {
            return Refuse(path, stamp, "it is not UTF-8 text", movedFrom);
        }

        var hash = MemoryStore.Hash(content);
        var known = mirror.Files.GetValueOrDefault(path);
        if (known is not null && (hash == known.Sha256 || hash == known.Next))
        {
            mirror.Files[path] = new MirroredFile(hash, read);
            _isDirty = true;
            return true;
        }

        if (!budget.TryTake(content.Length))
        {
            // Not under its own stamp: it is tried again at every look.
            return Refuse(path, "later", "too much was written in the last hour; it is tried again", movedFrom);
        }

        var old = movedFrom is null ? null : mirror.Files.GetValueOrDefault(movedFrom);
        if (old is not null && old.Sha256 != hash)
        {
            await Add(new MemoryEdit.Delete(movedFrom!, old.Sha256), "", 0, cancellationToken);
        }

        await Add(
            old?.Sha256 == hash ? new MemoryEdit.Move(movedFrom!, hash, path, content)
                : new MemoryEdit.Write(path, known is { Sha256.Length: > 0 } ? known.Sha256 : null, content),
            read, content.Length, cancellationToken);
        return true;
    }

    /// <summary>What the file was before stays in the store, under its path of then.</summary>
    private bool Refuse(string path, string stamp, string why, string? movedFrom)
    {
        if (movedFrom is not null)
        {
            mirror.Files.Remove(movedFrom);
            mirror.Revision = null;
        }

        Tell(path, stamp, $"{Inside(path)} is not saved: {why}.");
        return true;
    }

    private async Task Add(MemoryEdit edit, string stamp, int bytes, CancellationToken cancellationToken)
    {
        if (_edits.Count == EditsMax || _editBytes + bytes > EditBytesMax)
        {
            await Flush(cancellationToken);
        }

        _edits.Add((edit, stamp));
        _editBytes += bytes;
    }

    private async Task Flush(CancellationToken cancellationToken)
    {
        if (_edits.Count == 0)
        {
            return;
        }

        var made = await store.Apply(
            memory.StoreId, SessionId, _edits.ConvertAll(edit => edit.Edit), cancellationToken);

        // When others have changed the store since, its revision stays that of the files, which then follow.
        if (made is not null && mirror.Revision == made.Before)
        {
            mirror.Revision = made.After;
        }

        for (var i = 0; i < _edits.Count; i++)
        {
            var refusal = made is null ? new MemoryRefusal.NoStore() : made.Refusals[i];
            Note(_edits[i].Edit, _edits[i].Stamp, refusal);
        }

        _edits.Clear();
        _editBytes = 0;
        Save();
    }

    private void Note(MemoryEdit edit, string stamp, MemoryRefusal? refusal)
    {
        var path = edit is MemoryEdit.Move move ? move.To : edit.Path;
        if (edit is MemoryEdit.Delete or MemoryEdit.Move)
        {
            mirror.Files.Remove(edit.Path);
        }

        if (refusal is null)
        {
            mirror.Told.Remove(path);
            if (edit is not MemoryEdit.Delete)
            {
                var content = edit is MemoryEdit.Write write ? write.Content : ((MemoryEdit.Move)edit).Content;
                mirror.Files[path] = new MirroredFile(MemoryStore.Hash(content), stamp);
            }

            return;
        }

        if (edit is MemoryEdit.Delete or MemoryEdit.Move)
        {
            // It is still in the store, and comes back.
            mirror.Revision = null;
        }

        Tell(path, StampOf(_look, path) ?? "",
            $"{Inside(path)} is not {(edit is MemoryEdit.Delete ? "removed" : "saved")}: {Why(refusal)}.",
            isFinal: false);
    }

    private static string Why(MemoryRefusal refusal) => refusal switch
    {
        MemoryRefusal.NoStore => "the memory store was deleted",
        MemoryRefusal.Archived => "the memory store is archived, and takes no changes",
        MemoryRefusal.Full =>
            $"the memory store is full: it has {MemoryLimits.MemoriesMax} memories. Remove or join some",
        MemoryRefusal.Taken taken => $"the memory {taken.Path} has this path, or a part of it",
        _ => "the memory has changed",
    };
}
