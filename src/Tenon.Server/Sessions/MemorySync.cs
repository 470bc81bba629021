using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>
/// Makes a store and its files in one session the same: what the agent did becomes versions, then what others did
/// becomes files. One runs at a time for a session.
/// </summary>
/// <remarks>
/// A crash at any point loses nothing: an edit that is made twice makes no difference, and what is about to be written
/// to the files is noted first, so that it is not taken for the agent's.
/// </remarks>
internal sealed partial class MemorySync(
    MemoryStore store, MemoryFolder folder, SandboxMemory memory, MemoryMirror mirror, MemoryBudget budget)
{
    /// <summary>Edits, and bytes of texts, of one transaction: all who write to the database wait for it.</summary>
    private const int EditsMax = 100;
    private const int EditBytesMax = 2 * 1024 * 1024;

    /// <summary>Texts that are read from the database at a time.</summary>
    private const int ReadsMax = 100;

    /// <summary>Longer names a file cannot have, though a memory can; such a one is in the store alone.</summary>
    private const int NameBytesMax = 255;

    private MemoryLook _look = new();

    /// <returns>False when something was changed meanwhile, so that another run is due.</returns>
    public async Task<bool> Run(CancellationToken cancellationToken)
    {
        using var tree = folder.Tree(memory.StoreId);
        if (tree is null)
        {
            return true;
        }

        _look = tree.Look();
        var isWhole = !memory.IsWritable || await Take(tree, cancellationToken);
        return await Give(tree, cancellationToken) && isWhole;
    }

    private string SessionId => mirror.SessionId;

    private void Save() => mirror.Write(folder, memory.StoreId);

    private string Inside(string path) => memory.Path + path;

    private static string? StampOf(MemoryLook look, string path) =>
        look.Files.TryGetValue(path, out var status) ? MemoryStamp.Of(status) : null;
}
