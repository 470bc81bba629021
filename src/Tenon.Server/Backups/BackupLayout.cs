using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using Tenon.Server.Storage;

namespace Tenon.Server.Backups;

/// <summary>Why there is no backup, or nothing restored: what, where, and what to do.</summary>
public sealed class BackupException : Exception
{
    public BackupException(string message) : base(message)
    {
    }

    public BackupException(string message, Exception inner) : base(message, inner)
    {
    }

    /// <summary>It was refused before anything was done, and will be until the caller changes something.</summary>
    public bool IsRefusal { get; init; }
}

/// <summary>The first entry: what kind of backup this is. Members are added, never changed.</summary>
internal sealed record BackupManifest
{
    public const int CurrentFormat = 1;

    public required int Format { get; init; }

    public required DateTimeOffset MadeAt { get; init; }

    /// <summary>Sandboxes have users of their own, which only root can give files to.</summary>
    public required bool IsRoot { get; init; }

    /// <summary>The database is in the backup; else it is one of another server.</summary>
    public required bool HasDatabase { get; init; }

    /// <summary>The bytes of files were not in the folder, and are not in the backup.</summary>
    public bool BlobsElsewhere { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BackupManifest))]
internal sealed partial class BackupJson : JsonSerializerContext;

/// <summary>What an entry is for.</summary>
internal enum BackupPart
{
    Manifest,
    Key,
    Blob,
    Sandbox,
    Database,
    Digest,
}

/// <summary>The names of a backup's entries, and what may stand under each.</summary>
internal static class BackupLayout
{
    public const string Manifest = "tenon-backup.json";
    public const string Digest = "tenon-backup.sha256";
    public const string Blobs = "files/";
    public const string Sandboxes = "sandboxes/";
    public const string SandboxRecord = "sandbox.json";
    public const string Uploads = "uploads";

    /// <summary>The folders of a sandbox whose content is the agent's.</summary>
    public static readonly IReadOnlyList<string> AgentFolders = ["workspace", "outputs", "home"];

    private const int IdCharsMax = 128;

    /// <summary>What an entry of this name and type is for; null when a backup has no such entry.</summary>
    public static BackupPart? PartOf(string name, TarEntryType type)
    {
        var parts = name.Split('/');
        var isFile = type == TarEntryType.RegularFile;
        if (parts.Any(part => part is "" or "." or ".." || part.Contains('\0', StringComparison.Ordinal)))
        {
            return null;
        }

        return parts switch
        {
            [Manifest] when isFile => BackupPart.Manifest,
            [Digest] when isFile => BackupPart.Digest,
            [DataFolder.DatabaseName] when isFile => BackupPart.Database,
            [var key] when isFile && IsKey(key) => BackupPart.Key,
            ["files", var blob] when isFile && IsId(blob) => BackupPart.Blob,
            ["sandboxes", var id, .. var rest] when IsId(id) && IsOfSandbox(rest, type) => BackupPart.Sandbox,
            _ => null,
        };
    }

    /// <summary>
    /// Whether a file that stands in the data folder itself belongs in a backup: all but the database, the lock and
    /// what is only half there. What later versions keep there is then not forgotten.
    /// </summary>
    public static bool IsKey(string name) =>
        name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')
        && name[0] != '.' && name is not (Manifest or Digest)
        && !name.StartsWith(DataFolder.DatabaseName, StringComparison.Ordinal) && !DataFolder.IsOwn(name);

    private static bool IsOfSandbox(string[] rest, TarEntryType type) => rest switch
    {
        [] => type == TarEntryType.Directory,
        [SandboxRecord] => type == TarEntryType.RegularFile,
        [Uploads] => type == TarEntryType.Directory,
        [var folder] => type == TarEntryType.Directory && AgentFolders.Contains(folder),
        [var folder, ..] => AgentFolders.Contains(folder) && type is TarEntryType.Directory
            or TarEntryType.RegularFile or TarEntryType.SymbolicLink or TarEntryType.HardLink,
    };

    private static bool IsId(string name) => name.Length <= IdCharsMax
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
}

/// <summary>One number for everything that a backup holds, in its order.</summary>
internal sealed class BackupDigest : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public void Add(TarEntry entry, long length) => _hash.AppendData(Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"{entry.EntryType}|{entry.Name.TrimEnd('/')}|{entry.LinkName}|{(int)entry.Mode}|{entry.Uid}|{entry.Gid}|{
            entry.ModificationTime.UtcTicks}|{length}\n")));

    public void Add(ReadOnlySpan<byte> content) => _hash.AppendData(content);

    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose() => _hash.Dispose();
}
