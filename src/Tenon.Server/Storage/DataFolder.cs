namespace Tenon.Server.Storage;

/// <summary>The folder that holds one installation's data, in the hands of one process.</summary>
/// <remarks>
/// Two servers on one folder would each take the other's sessions for crashed ones, so the second is refused.
/// </remarks>
public sealed class DataFolder : IDisposable
{
    private const string LockName = "tenon.lock";
    public const string DatabaseName = "tenon.db";
    private const string BlobsName = "files";
    private const int WouldBlock = 11;
    private const string RestoringName = "restore.incomplete";

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
        var held = Hold(path);
        if (File.Exists(System.IO.Path.Combine(path, RestoringName)))
        {
            held.Dispose();
            throw new IOException(
                $"The data folder {path} was left by a restore that did not end: empty it and restore again.");
        }

        return new DataFolder(path, held);
    }

    /// <summary>Looks whether somebody has the folder, and leaves it as it is.</summary>
    /// <exception cref="IOException">Another process has it; the message says what to do.</exception>
    public static void RefuseHeld(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, LockName)))
        {
            Hold(path).Dispose();
        }
    }

    /// <summary>Whether a file of this name in a data folder only says who uses the folder.</summary>
    public static bool IsOwn(string name) => name is LockName or RestoringName;

    /// <summary>Until <see cref="EndRestore"/> nobody can open the folder again: what it holds is not whole.</summary>
    public void BeginRestore() => File.WriteAllBytes(System.IO.Path.Combine(Path, RestoringName), []);

    public void EndRestore() => File.Delete(System.IO.Path.Combine(Path, RestoringName));

    public void Dispose() => _lock.Dispose();

    private static FileStream Hold(string path)
    {
        try
        {
            return new FileStream(
                System.IO.Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (exception.HResult == WouldBlock)
        {
            throw new IOException(
                $"The data folder {path} is in use by another Tenon. "
                    + "Stop that one, or choose another folder with --data.",
                exception);
        }
    }
}
