namespace Tenon.Server.Storage;

/// <summary>The folder that holds one installation's data, in the hands of one process.</summary>
/// <remarks>
/// Two servers on one folder would each take the other's sessions for crashed ones, so the second is refused.
/// </remarks>
public sealed class DataFolder : IDisposable
{
    private const string LockName = "tenon.lock";
    private const string BlobsName = "files";
    public const string DatabaseName = "tenon.db";

    // Sandboxes run as other users and must walk through to their files; only the owner may look around.
    private const UnixFileMode FolderMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly FileStream _lock;

    private DataFolder(string path, FileStream held) => (Path, _lock) = (path, held);

    public string Path { get; }

    public string DatabasePath => System.IO.Path.Combine(Path, DatabaseName);

    /// <summary>The bytes of files.</summary>
    public string BlobsPath => System.IO.Path.Combine(Path, BlobsName);

    /// <summary>Creates the folder when it is missing, and takes it.</summary>
    /// <exception cref="IOException">Another process has it; the message says what to do.</exception>
    public static DataFolder Open(string path)
    {
        Directory.CreateDirectory(path, FolderMode);
        FileStream held;
        try
        {
            held = new FileStream(
                System.IO.Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception)
        {
            throw new IOException(
                $"The data folder {path} is in use by another Tenon. "
                    + "Stop that one, or choose another folder with --data.",
                exception);
        }

        return new DataFolder(path, held);
    }

    public void Dispose() => _lock.Dispose();
}
