using System.Text;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Sessions;

/// <content>From the store to the files: what others did.</content>
internal sealed partial class MemorySync
{
    /// <returns>False when the agent changed a file meanwhile, so that another run is due.</returns>
    private async Task<bool> Give(MemoryTree tree, CancellationToken cancellationToken)
    {
        var revisions = await store.Revisions([memory.StoreId], cancellationToken);
        if (mirror.Revision is { } revision && revisions.GetValueOrDefault(memory.StoreId, -1) == revision)
        {
            return true;
        }

        // Of a store that was deleted nothing is to be there.
        var heads = await store.Heads(memory.StoreId, cancellationToken);
        var wanted = (heads?.Rows ?? []).Where(row => IsNameable(row.Path))
            .ToDictionary(row => row.Path, StringComparer.Ordinal);
        var removed = mirror.Files.Keys.Where(path => !wanted.ContainsKey(path)).ToList();
        var changed = wanted.Values
            .Where(row => mirror.Files.GetValueOrDefault(row.Path)?.Sha256 != row.Sha256).ToList();
        var (isWhole, isQuiet) = (true, true);
        if (removed.Count + changed.Count > 0)
        {
            Announce(removed, changed);
            isQuiet = Remove(tree, removed);
            foreach (var some in changed.Chunk(ReadsMax))
            {
                var (all, quiet) = await Put(tree, some, cancellationToken);
                (isWhole, isQuiet) = (isWhole && all, isQuiet && quiet);
            }
        }

        mirror.Revision = isWhole && isQuiet ? heads?.Revision ?? -1 : null;
        Save();
        return isQuiet;
    }

    private void Announce(IReadOnlyList<string> removed, IReadOnlyList<MemoryRow> changed)
    {
        foreach (var path in removed)
        {
            mirror.Files[path] = mirror.Files[path] with { Next = "" };
        }

        foreach (var row in changed)
        {
            mirror.Files[row.Path] =
                (mirror.Files.GetValueOrDefault(row.Path) ?? new MirroredFile("", "")) with { Next = row.Sha256 };
        }

        Save();
    }

    private bool Remove(MemoryTree tree, IReadOnlyList<string> removed)
    {
        var isQuiet = true;
        foreach (var path in removed)
        {
            // Another one is the agent's, who wrote it while this ran: the next run takes it.
            if (StampOf(_look, path) is not { } stamp || tree.Remove(path, stamp))
            {
                mirror.Files.Remove(path);
            }
            else
            {
                isQuiet = false;
                Withdraw(path);
            }
        }

        return isQuiet;
    }

    private async Task<(bool IsWhole, bool IsQuiet)> Put(
        MemoryTree tree, IReadOnlyList<MemoryRow> changed, CancellationToken cancellationToken)
    {
        var rows = changed.ToDictionary(row => row.VersionId);
        var (isWhole, isQuiet) = (true, true);
        await foreach (var (versionId, content) in store.Contents([.. rows.Keys], cancellationToken))
        {
            var row = rows[versionId];
            rows.Remove(versionId);
            switch (tree.Put(row.Path, content, StampOf(_look, row.Path)))
            {
                case PutOutcome.Placed placed:
                    mirror.Files[row.Path] = new MirroredFile(row.Sha256, placed.Stamp);
                    mirror.Told.Remove(row.Path);
                    break;
                case PutOutcome.Changed:
                    isQuiet = false;
                    Withdraw(row.Path);
                    break;
                default:
                    isWhole = false;
                    Withdraw(row.Path);
                    Tell(row.Path, "", $"The memory {Inside(row.Path)} cannot be shown, because something else is in "
                        + "its place: a folder, a link, or a file where its folder should be.");
                    break;
            }
        }

        // A version that went before it was read has another one after it.
        return (isWhole && rows.Count == 0, isQuiet);
    }

    private void Withdraw(string path)
    {
        var file = mirror.Files[path];
        if (file.Sha256.Length == 0)
        {
            mirror.Files.Remove(path);
        }
        else
        {
            mirror.Files[path] = file with { Next = null };
        }
    }

    private static bool IsNameable(string path) =>
        path.Split('/').All(name => Encoding.UTF8.GetByteCount(name) <= NameBytesMax);
}
