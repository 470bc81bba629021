using Tenon.Server.Files;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Files;

namespace Tenon.Server.Sessions;

/// <summary>
/// What an agent wrote to <c>/mnt/session/outputs</c>, as files of its session (api F.1, G). The list mirrors the
/// folder: a file keeps its id until it is written to again or goes.
/// </summary>
/// <remarks>
/// The bytes are copied when a file is first seen as it is, because the sandbox may write on at any time: what was
/// listed once can be downloaded whole. A file that changes while it is copied is left for the next look.
/// </remarks>
public sealed class SessionOutputs(
    SessionStore sessions, FileStore files, IBlobStore blobs, FileStorage storage, SandboxProvider sandboxes,
    IdSource ids, TimeProvider clock) : IDisposable
{
    /// <summary>
    /// All outputs of a session: the disk that the contract gives a sandbox (api F.1). Files with holes cost an agent
    /// nothing, and their copies are whole.
    /// </summary>
    private const long BytesMax = 10L * 1024 * 1024 * 1024;

    private const int BufferBytes = 128 * 1024;

    // Two at one session would copy everything twice.
    private readonly StripedLock _looking = new();

    /// <summary>Brings the session's files in line with its outputs folder. Does nothing for other scopes.</summary>
    public Task Refresh(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async () =>
        {
            if (await sessions.Exists(sessionId, cancellationToken))
            {
                var folder = await sandboxes.OpenFiles(sessionId, cancellationToken);
                await Look(sessionId, folder.Outputs, cancellationToken);
            }
        }, cancellationToken);

    /// <summary>The same of a sandbox that lives, without making it live longer.</summary>
    public Task Follow(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async () =>
        {
            if (sandboxes.LiveFiles(sessionId) is { } folder && await sessions.Exists(sessionId, cancellationToken))
            {
                await Look(sessionId, folder.Outputs, cancellationToken);
            }
        }, cancellationToken);

    /// <summary>Deletes the files of a session that is no more.</summary>
    public Task DeleteFiles(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, () => files.DeleteScope(sessionId, cancellationToken), cancellationToken);

    public void Dispose() => _looking.Dispose();

    private async Task Look(string sessionId, string folder, CancellationToken cancellationToken)
    {
        var seen = await files.SeenOutputs(sessionId, cancellationToken);
        var present = new HashSet<string>(StringComparer.Ordinal);
        var bytesLeft = BytesMax;
        var isWhole = await OutputFolder.Walk(folder, async file =>
        {
            if (file.Size > Math.Min(bytesLeft, storage.BytesMax))
            {
                return;
            }

            bytesLeft -= file.Size;
            present.Add(file.Path);
            if (seen.GetValueOrDefault(file.Path) != file.Stamp)
            {
                await Keep(sessionId, file, cancellationToken);
            }
        });
        var gone = seen.Keys.Except(present).ToList();
        if (isWhole && gone.Count > 0)
        {
            await files.DeleteOutputs(sessionId, gone, cancellationToken);
        }
    }

    private async Task Keep(string sessionId, OutputFile file, CancellationToken cancellationToken)
    {
        var id = ids.Next(IdPrefix.File);
        await using var blob = blobs.Begin(id);
        var size = await Copy(file, blob.Stream, cancellationToken);
        if (size != file.Size || file.StampNow != file.Stamp)
        {
            return;
        }

        var name = FileRules.Cleaned(file.Path);
        var output = new OutputRow { SessionId = sessionId, Path = file.Path, Stamp = file.Stamp, FileId = id };
        await files.InsertOutput(output, new FileRecord
        {
            Id = id,
            Filename = name,
            MimeType = MediaTypes.OfName(name),
            SizeBytes = size,
            CreatedAt = clock.GetUtcNow(),
            Downloadable = true,
            Scope = new FileScope { Id = sessionId },
        }, blob, cancellationToken);
    }

    /// <summary>Copies as many bytes as the file had, and no more: it may grow faster than it is read.</summary>
    private static async Task<long> Copy(OutputFile file, Stream target, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferBytes];
        var at = 0L;
        while (at < file.Size)
        {
            var wanted = (int)Math.Min(buffer.Length, file.Size - at);
            var count = await RandomAccess.ReadAsync(file.Handle, buffer.AsMemory(0, wanted), at, cancellationToken);
            if (count == 0)
            {
                break;
            }

            await target.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            at += count;
        }

        return at;
    }

    private async Task Alone(string sessionId, Func<Task> work, CancellationToken cancellationToken)
    {
        using var turn = await _looking.Enter(sessionId, cancellationToken);
        await work();
    }
}
