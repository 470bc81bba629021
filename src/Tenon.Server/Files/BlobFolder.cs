using Microsoft.Win32.SafeHandles;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Tenon.Server.Files;

/// <summary>The bytes of files, each under a name of its own. A blob never changes once it has its name.</summary>
/// <remarks>
/// A blob is written under a temporary name, flushed, and renamed, so that a crash leaves at most a stray that the
/// sweep at the next start removes. Everybody may read a blob who reaches it, because sandboxes get hard links to it;
/// the folder itself lets nobody in.
/// </remarks>
public sealed partial class BlobFolder
{
    private const int CloseOnExec = 0x80000;
    private const int NoSuchFile = 2;
    private const int BufferBytes = 64 * 1024;
    private const string PartSuffix = ".part";
    private const UnixFileMode Private =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode ReadOnly =
        UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private readonly string _path;

    public BlobFolder(string path)
    {
        _path = path;
        Directory.CreateDirectory(path, Private);
    }

    public string PathOf(string name) => Path.Combine(_path, name);

    /// <summary>Every blob in the folder that is whole.</summary>
    public static IReadOnlyList<string> NamesIn(string path) =>
    [
        .. Directory.EnumerateFiles(path).Select(path => Path.GetFileName(path))
            .Where(name => !name.EndsWith(PartSuffix, StringComparison.Ordinal)).Order(StringComparer.Ordinal),
    ];

    /// <summary>A new blob, to be written and then kept under <paramref name="name"/>.</summary>
    public NewBlob Begin(string name)
    {
        var part = new FileStream(PathOf(name) + PartSuffix, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Options = FileOptions.Asynchronous,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        return new NewBlob(PathOf(name), part);
    }

    /// <summary>The bytes; null when there are none of that name.</summary>
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

    /// <summary>Who reads it or has a link to it keeps it.</summary>
    public void Delete(string name) => File.Delete(PathOf(name));

    /// <summary>Deletes all but <paramref name="names"/>, unfinished blobs too. For the start of a server.</summary>
    public void DeleteStrays(IReadOnlySet<string> names)
    {
        foreach (var stray in Directory.EnumerateFiles(_path).Where(path => !names.Contains(Path.GetFileName(path))))
        {
            File.Delete(stray);
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    /// <summary>A blob that is being written. Unless it is kept, disposing of it leaves nothing.</summary>
    public sealed class NewBlob : IAsyncDisposable
    {
        private readonly string _path;
        private readonly FileStream _stream;
        private bool _isKept;

        internal NewBlob(string path, FileStream stream) => (_path, _stream) = (path, stream);

        public Stream Stream => _stream;

        /// <summary>Makes it durable under its name.</summary>
        public void Keep()
        {
            File.SetUnixFileMode(_stream.SafeFileHandle, ReadOnly);
            _stream.Flush(flushToDisk: true);
            File.Move(_stream.Name, _path);
            _isKept = true;
        }

        public async ValueTask DisposeAsync()
        {
            await _stream.DisposeAsync();
            if (!_isKept)
            {
                File.Delete(_path + PartSuffix);
            }
        }
    }
}
