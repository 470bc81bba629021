using System.Formats.Tar;
using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Backups;

/// <summary>
/// Puts a backup into an empty data folder. The whole file is read and checked first; a failure after that takes away
/// what was written.
/// </summary>
/// <param name="sandboxes">Says where the sandboxes of the data folder will stand.</param>
/// <param name="tell">Gets a line now and then.</param>
public sealed class RestoredFolder(SandboxOptions sandboxes, TimeProvider clock, Action<string> tell)
{
    private const string MountLeftover = "lost+found";
    private const UnixFileMode Secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Private = Secret | UnixFileMode.UserExecute;
    private const UnixFileMode WalkOnly = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly string _data = sandboxes.DataDirectory;
    private readonly string _sandboxes = new SandboxFiles(sandboxes).Root;
    private readonly bool _isRoot = SandboxFiles.IsRoot;

    // What a directory shall look like once everything is in it; the innermost stand last.
    private readonly List<(string Path, TarEntry Entry)> _directories = [];

    /// <returns>Whether the database was in the backup.</returns>
    /// <exception cref="BackupException">Nothing was restored.</exception>
    /// <exception cref="IOException">A server has the folder.</exception>
    public bool Write(string backup, CancellationToken cancellationToken)
    {
        var isNew = !Directory.Exists(_data);
        RefuseUsed(_data);
        RefuseUsed(_sandboxes);
        tell($"Checking {backup}");
        var manifest = BackupReader.Check(backup, cancellationToken);
        if (manifest.IsRoot != _isRoot)
        {
            throw Refusal(manifest.IsRoot
                ? "The backup is of a server that runs as root, and only root can give files to its sandboxes' users."
                : "The backup is of a server that does not run as root: restore it as the user that the server is.");
        }

        using var folder = DataFolder.Open(_data);
        try
        {
            folder.BeginRestore();
            tell($"Writing to {_data}");
            BackupReader.Read(backup, Take, cancellationToken);
            Complete(manifest);
            LinuxCalls.Sync();
            folder.EndRestore();
            return manifest.HasDatabase;
        }
        catch (Exception exception)
        {
            Clear(isNew);
            throw exception is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception
                ? new BackupException($"The restore failed, and nothing was left: {exception.Message}", exception)
                : exception;
        }
    }

    private void RefuseUsed(string path)
    {
        if (!Directory.Exists(path))
        {
            return;
        }

        if (path == _data && Directory.EnumerateFileSystemEntries(path).Any())
        {
            // Says so when a server has it.
            DataFolder.RefuseHeld(path);
        }

        if (Directory.EnumerateFileSystemEntries(path).Select(entry => Path.GetFileName(entry))
            .FirstOrDefault(name => name is not (MountLeftover or SandboxFiles.SharedName)) is { } found)
        {
            throw Refusal($"{path} is not empty ({found} is in it). A restore writes over nothing: name a new folder.");
        }
    }

    private static BackupException Refusal(string reason) => new(reason) { IsRefusal = true };

    private void Take(TarEntry entry, BackupPart part, Stream content)
    {
        var name = entry.Name.TrimEnd('/');
        switch (part)
        {
            case BackupPart.Key or BackupPart.Database:
                Write(Path.Combine(_data, name), content, Secret);
                break;
            case BackupPart.Blob:
                Make(Path.Combine(_data, Path.GetDirectoryName(name)!), Private);
                Stamp(Write(Path.Combine(_data, name), content, Readable), entry);
                break;
            case BackupPart.Sandbox:
                Make(_sandboxes, WalkOnly);
                TakeSandbox(entry, Place(name), content);
                break;
        }
    }

    private void TakeSandbox(TarEntry entry, string path, Stream content)
    {
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                Make(path, Private);
                _directories.Add((path, entry));
                break;
            case TarEntryType.SymbolicLink:
                File.CreateSymbolicLink(path, entry.LinkName);
                Own(path, entry);
                break;
            case TarEntryType.HardLink:
                if (!LinuxCalls.Link(Place(entry.LinkName), path))
                {
                    throw LinuxCalls.Failure($"{path} could not be linked");
                }

                break;
            default:
                Own(Write(path, content, Secret), entry);
                File.SetUnixFileMode(path, entry.Mode);
                Stamp(path, entry);
                break;
        }
    }

    private string Place(string name) => Path.Combine(_sandboxes, name[BackupLayout.Sandboxes.Length..]);

    private static void Make(string path, UnixFileMode mode)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, mode);
            File.SetUnixFileMode(path, mode);
        }
    }

    private static string Write(string path, Stream content, UnixFileMode mode)
    {
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Secret,
        });
        content.CopyTo(file);
        File.SetUnixFileMode(file.SafeFileHandle, mode);
        return path;
    }

    // NOTE: giving a file away clears bits of its mode, so the mode is set after.
    private void Own(string path, TarEntry entry)
    {
        if (_isRoot)
        {
            LinuxCalls.Own(path, entry.Uid, entry.Gid);
        }
    }

    private static string Stamp(string path, TarEntry entry)
    {
        File.SetLastWriteTimeUtc(path, entry.ModificationTime.UtcDateTime);
        return path;
    }

    private void Complete(BackupManifest manifest)
    {
        foreach (var (path, entry) in Enumerable.Reverse(_directories))
        {
            Own(path, entry);
            File.SetUnixFileMode(path, entry.Mode);
            Directory.SetLastWriteTimeUtc(path, entry.ModificationTime.UtcDateTime);
        }

        if (!manifest.HasDatabase)
        {
            return;
        }

        using var database = DatabaseCopy.Open(Path.Combine(_data, DataFolder.DatabaseName));
        if (database.Problems() is [var problem, ..])
        {
            throw new BackupException($"The database in the backup is damaged, and nothing was restored: {problem}");
        }

        if (!manifest.BlobsElsewhere && database.Blobs(clock.GetUtcNow()).FirstOrDefault(
            blob => !File.Exists(Path.Combine(_data, BackupLayout.Blobs + blob))) is { } missing)
        {
            throw new BackupException($"The backup lacks the bytes of the file {missing}, and nothing was restored.");
        }
    }

    private void Clear(bool isNew)
    {
        foreach (var entry in (string[])[_sandboxes, .. Directory.GetFileSystemEntries(_data)])
        {
            if (Path.GetFileName(entry) != MountLeftover && Directory.Exists(entry))
            {
                Directory.Delete(entry, recursive: true);
            }
            else if (File.Exists(entry))
            {
                File.Delete(entry);
            }
        }

        if (isNew)
        {
            Directory.Delete(_data);
        }
    }
}
