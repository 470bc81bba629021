using Microsoft.Win32.SafeHandles;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Tenon.Server.Files;

/// <summary>Blobs in a folder of this machine.</summary>
/// <remarks>
/// A blob is written under a temporary name, flushed, and renamed, so that a crash leaves at most a stray that the
/// sweep at the next start removes. Everybody may read a blob who reaches it, because sandboxes get hard links to it;
/// the folder itself lets nobody in.
/// </remarks>
public sealed partial class BlobFolder : IBlobStore
{
    public const string PartSuffix = ".part";

    private const int CloseOnExec = 0x80000;
    private const int NoSuchFile = 2;
    private const int BufferBytes = 64 * 1024;
    private const UnixFileMode Private =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode ReadOnly =
        UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    // What is as young, or younger, is this process's own work. By the file system's clock, which stamps it.
    private readonly DateTime _madeAt;

    public BlobFolder(string path)
    {
        Path = path;
        Directory.CreateDirectory(path, Private);
        var clock = PathOf("clock" + PartSuffix);
        File.WriteAllBytes(clock, []);
        _madeAt = File.GetLastWriteTimeUtc(clock);
        File.Delete(clock);
    }

    internal string Path { get; }

    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Every blob in the folder that is whole.</summary>
    public static IReadOnlyList<string> NamesIn(string path) =>
    [
        .. Directory.EnumerateFiles(path).Select(path => System.IO.Path.GetFileName(path))
            .Where(name => !name.Contains('.', StringComparison.Ordinal)).Order(StringComparer.Ordinal),
    ];

    public NewBlob Begin(string name)
    {
        return new NewBlob(NewPart(name), (part, _) =>
        {
            Keep(part, name);
            return Task.CompletedTask;
        });
    }

    public Task<Stream?> Open(string name, CancellationToken cancellationToken) => Task.FromResult<Stream?>(Open(name));

    /// <inheritdoc cref="IBlobStore.Open"/>
    public FileStream? Open(string name)
    {
        // NOTE: the platform's own way to open a file takes a lock on it and fails when somebody has one, and a command
        // in a sandbox may lock whatever it can read.
        var descriptor = open(PathOf(name), CloseOnExec, 0);
        return descriptor >= 0
            ? new FileStream(new SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Read, BufferBytes)
            : Marshal.GetLastPInvokeError() is NoSuchFile ? null
            : throw new IOException($"The blob {name} could not be opened.", new Win32Exception());
    }

    public Task<string?> FileOf(string name, CancellationToken cancellationToken) =>
        Task.FromResult(File.Exists(PathOf(name)) ? PathOf(name) : null);

    public void Delete(IReadOnlyCollection<string> names)
    {
        foreach (var name in names)
        {
            File.Delete(PathOf(name));
        }
    }

    public void DeleteStrays(IReadOnlySet<string> names)
    {
        foreach (var stray in StraysBut(names))
        {
            File.Delete(stray);
        }
    }

    internal FileStream NewPart(string name) => new(PathOf(name) + PartSuffix, new FileStreamOptions
    {
        Mode = FileMode.CreateNew,
        Access = FileAccess.Write,
        Options = FileOptions.Asynchronous,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });

    /// <summary>Flushes what was written and gives it its name.</summary>
    internal void Keep(FileStream part, string name)
    {
        File.SetUnixFileMode(part.SafeFileHandle, ReadOnly);
        part.Flush(flushToDisk: true);
        File.Move(part.Name, PathOf(name));
    }

    /// <summary>The paths of what an earlier process left, but for blobs of these names.</summary>
    internal IReadOnlyList<string> StraysBut(IReadOnlySet<string> names) =>
    [
        .. Directory.EnumerateFiles(Path).Where(
            path => !names.Contains(System.IO.Path.GetFileName(path)) && File.GetLastWriteTimeUtc(path) < _madeAt),
    ];

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);
}
