using Microsoft.Data.Sqlite;
using System.Globalization;
using System.Text.Json;
using Tenon.Server.Files;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Backups;

/// <summary>Makes a backup of a data folder, also while a server serves it. A failure leaves nothing behind.</summary>
/// <param name="sandboxes">Says where the sandboxes of the data folder stand.</param>
/// <param name="tell">Gets a line now and then.</param>
public sealed class BackupWriter(SandboxOptions sandboxes, TimeProvider clock, Action<string> tell)
{
    private const string PartSuffix = ".part";
    private const string CopySuffix = ".db.part";
    private const UnixFileMode Secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _data = sandboxes.DataDirectory;

    private string DatabasePath => Path.Combine(_data, DataFolder.DatabaseName);

    /// <summary>Whether the bytes of files are in the folder, and so in the backup.</summary>
    public bool WithBlobs { get; init; } = true;

    /// <param name="target">The file to make; it must not be there.</param>
    /// <param name="withDatabase">False when the installation's database is not in the folder.</param>
    /// <exception cref="BackupException">There is no backup.</exception>
    public void Write(string target, bool withDatabase, CancellationToken cancellationToken)
    {
        Refuse(target, withDatabase);
        var part = target + PartSuffix;
        using var file = Take(part);
        try
        {
            try
            {
                Fill(file, target + CopySuffix, withDatabase, cancellationToken);
                file.Flush(flushToDisk: true);
                tell("Verifying");
                Verify(part, cancellationToken);
                File.Move(part, target);
            }
            finally
            {
                File.Delete(part);
                File.Delete(target + CopySuffix);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or SqliteException)
        {
            // The disk's word is the reason; what the operator needs to know besides is that nothing came of it.
            throw new BackupException(
                $"The backup failed, and nothing was left behind: {exception.Message}", exception);
        }

        LinuxCalls.Sync();
    }

    private void Refuse(string target, bool withDatabase)
    {
        var reason = !Directory.Exists(_data) ? $"--data {_data}: there is no such folder."
            : withDatabase && !File.Exists(DatabasePath)
                ? $"--data {_data}: there is no {DataFolder.DatabaseName} in this folder. Is it the right one?"
            : Path.Exists(target) ? $"--to {target} is there already; a backup replaces no file."
            : !Directory.Exists(Path.GetDirectoryName(target)) ? $"--to {target}: the folder for it is not there."
            : IsInside(target) ? $"--to {target} is inside the data folder, and would be lost with it."
            : null;
        if (reason is not null)
        {
            throw new BackupException(reason) { IsRefusal = true };
        }
    }

    private bool IsInside(string target) =>
        target.StartsWith(_data.TrimEnd('/') + "/", StringComparison.Ordinal);

    // One that was killed leaves its part, which the next one takes over; one that runs holds it.
    private static FileStream Take(string part)
    {
        try
        {
            var file = new FileStream(part, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None,
                UnixCreateMode = Secret,
            });
            file.SetLength(0);
            File.SetUnixFileMode(file.SafeFileHandle, Secret);
            return file;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Whatever the reason is, the caller named the place.
            throw new BackupException($"{part} cannot be written: {exception.Message}", exception) { IsRefusal = true };
        }
    }

    private void Fill(FileStream file, string copyPath, bool withDatabase, CancellationToken cancellationToken)
    {
        using var archive = new BackupArchive(file, tell, cancellationToken);
        archive.Add(BackupLayout.Manifest, JsonSerializer.SerializeToUtf8Bytes(
            new BackupManifest
            {
                Format = BackupManifest.CurrentFormat, MadeAt = clock.GetUtcNow(), IsRoot = SandboxFiles.IsRoot,
                HasDatabase = withDatabase, BlobsElsewhere = !WithBlobs,
            },
            BackupJson.Default.BackupManifest));
        AddKeys(archive);
        using var copy = withDatabase ? Copy(copyPath) : null;
        if (WithBlobs)
        {
            AddBlobs(archive, copy);
        }

        AddSandboxes(archive, copy);
        if (copy is not null)
        {
            copy.Dispose();
            AddFile(archive, DataFolder.DatabaseName, copyPath);
        }

        archive.Finish(BackupLayout.Digest);
    }

    private void AddKeys(BackupArchive archive)
    {
        foreach (var path in Directory.EnumerateFiles(_data).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(path);
            if (BackupLayout.IsKey(name) && new FileInfo(path).LinkTarget is null)
            {
                AddFile(archive, name, path);
            }
        }
    }

    private DatabaseCopy Copy(string copyPath)
    {
        tell(string.Create(CultureInfo.InvariantCulture,
            $"Copying the database ({new FileInfo(DatabasePath).Length / (1024 * 1024)} MiB)"));
        File.Delete(copyPath);
        new FileStream(copyPath, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Secret,
        }).Dispose();
        try
        {
            var copy = DatabaseCopy.Make(DatabasePath, copyPath);
            if (copy.Problems() is not [var problem, ..])
            {
                return copy;
            }

            copy.Dispose();
            throw Damaged(problem);
        }
        catch (SqliteException exception) when (DatabaseFault.IsDamage(exception))
        {
            throw Damaged(exception.Message);
        }
    }

    private BackupException Damaged(string problem) => new(
        $"{DatabasePath} is damaged, and nothing was left behind: {problem}. Restore an earlier backup; "
        + "docs/operations/backup.md says how.");

    private void AddBlobs(BackupArchive archive, DatabaseCopy? copy)
    {
        var folder = Path.Combine(_data, BackupLayout.Blobs);
        var names = copy?.Blobs(clock.GetUtcNow()) ?? BlobFolder.NamesIn(folder);
        tell($"Reading {names.Count} uploads");
        foreach (var name in names)
        {
            using var blob = LinuxCalls.OpenBeneath(folder + name);
            if (blob is not null && LinuxCalls.Status(blob) is { } status)
            {
                archive.Add(BackupLayout.Blobs + name, blob, status);
            }
            else if (copy is not null && !DatabaseCopy.Names(DatabasePath, name))
            {
                // Deleted since the copy was made.
                copy.Forget(name);
            }
            else if (copy is not null)
            {
                throw new BackupException(
                    $"The bytes of the file {name} are not in {folder}, and nothing was left behind. "
                    + $"Put them there again, or delete the file: DELETE /v1/files/{name}.");
            }
        }
    }

    private void AddSandboxes(BackupArchive archive, DatabaseCopy? copy)
    {
        var files = new SandboxFiles(sandboxes);
        var wanted = copy?.Sessions().ToHashSet();
        var sessions = files.Sessions().Where(id => wanted?.Contains(id) ?? true)
            .Order(StringComparer.Ordinal).ToList();
        tell($"Reading the sandboxes of {sessions.Count} sessions");
        var leftOut = 0;
        using var disks = new SandboxDisks(files.Root, sandboxes, clock);
        foreach (var id in sessions)
        {
            var tree = new SandboxTree(archive, disks, files.FolderOf(id), BackupLayout.Sandboxes + id);
            tree.Add();
            leftOut += tree.LeftOut;
        }

        if (leftOut > 0)
        {
            tell($"{leftOut} names in sandboxes were left out: they went meanwhile, cannot be read, or are no text.");
        }
    }

    private static void AddFile(BackupArchive archive, string name, string path)
    {
        using var opened = LinuxCalls.OpenBeneath(path);
        archive.Add(
            name, opened ?? throw new IOException($"{path} cannot be read."),
            LinuxCalls.Status(opened) ?? throw new IOException($"{path} cannot be read."));
    }

    private static void Verify(string part, CancellationToken cancellationToken) =>
        BackupReader.Check(part, cancellationToken);
}
