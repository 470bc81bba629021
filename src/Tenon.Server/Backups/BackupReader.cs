using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Tenon.Server.Storage;

namespace Tenon.Server.Backups;

/// <summary>
/// Reads a backup from its first to its last entry and trusts none of them: a name that a backup does not have, one
/// that comes twice, a parent that is no directory of the backup, or another digest ends the reading.
/// </summary>
internal sealed class BackupReader
{
    private const int SmallBytesMax = 64 * 1024;

    private readonly string _path;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly HashSet<string> _directories = new(StringComparer.Ordinal);
    private readonly HashSet<string> _files = new(StringComparer.Ordinal);
    private bool _hasDatabase;

    private BackupReader(string path) => _path = path;

    /// <summary>Takes an entry; its content must be read through the stream before it returns.</summary>
    public delegate void Take(TarEntry entry, BackupPart part, Stream content);

    /// <summary>Reads all of it and writes nothing.</summary>
    /// <exception cref="BackupException">It is not a whole backup.</exception>
    public static BackupManifest Check(string path, CancellationToken cancellationToken) =>
        Read(path, (_, _, _) => { }, cancellationToken);

    /// <summary>Hands out every entry but manifest and digest.</summary>
    /// <exception cref="BackupException">It is not a whole backup; what was handed out is worth nothing.</exception>
    public static BackupManifest Read(string path, Take take, CancellationToken cancellationToken)
    {
        try
        {
            // Not by File.OpenRead, whose lock the writer of a new backup holds.
            using var handle = Sandboxes.LinuxCalls.OpenBeneath(path)
                ?? throw new BackupException($"{path} cannot be read.") { IsRefusal = true };
            using var file = new FileStream(handle, FileAccess.Read);
            using var zip = new GZipStream(file, CompressionMode.Decompress);
            using var tar = new TarReader(zip);
            var reader = new BackupReader(path);
            var manifest = reader.Read(tar, take, cancellationToken);
            if (tar.GetNextEntry() is not null)
            {
                throw reader.Damaged("it goes on after its end");
            }

            // To the last byte, where the compression has a sum of its own.
            zip.CopyTo(Stream.Null);
            return manifest;
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException
            or FormatException or ArgumentException or OverflowException or JsonException)
        {
            // What the formats say of bytes that are not theirs.
            throw new BackupException($"{path} is not a backup of Tenon, or is damaged: {exception.Message}", exception)
            {
                IsRefusal = true,
            };
        }
    }

    private BackupManifest Read(TarReader tar, Take take, CancellationToken cancellationToken)
    {
        using var digest = new BackupDigest();
        var manifest = ReadManifest(Next(tar, cancellationToken), digest);
        while (true)
        {
            var entry = Next(tar, cancellationToken);
            if (entry.Part == BackupPart.Digest)
            {
                var written = Encoding.ASCII.GetString(Small(entry.Entry, null));
                return written == digest.Finish() && _hasDatabase == manifest.HasDatabase
                    ? manifest
                    : throw Damaged("its content is not what was written");
            }

            _hasDatabase |= entry.Part == BackupPart.Database;
            digest.Add(entry.Entry, entry.Entry.Length);
            using var content = new DigestedStream(entry.Entry.DataStream ?? Stream.Null, digest);
            take(entry.Entry, entry.Part, content);
            content.CopyTo(Stream.Null);
        }
    }

    private BackupManifest ReadManifest((TarEntry Entry, BackupPart Part) first, BackupDigest digest)
    {
        if (first.Part != BackupPart.Manifest)
        {
            throw Damaged("it does not begin as one");
        }

        digest.Add(first.Entry, first.Entry.Length);
        var manifest = JsonSerializer.Deserialize(Small(first.Entry, digest), BackupJson.Default.BackupManifest)!;
        return manifest.Format <= BackupManifest.CurrentFormat
            ? manifest
            : throw new BackupException($"{_path} was made by a later version of Tenon: use that one to restore it.")
            {
                IsRefusal = true,
            };
    }

    private (TarEntry Entry, BackupPart Part) Next(TarReader tar, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var entry = tar.GetNextEntry() ?? throw Damaged("it ends too early");
        var name = entry.Name.TrimEnd('/');
        var part = BackupLayout.PartOf(name, entry.EntryType)
            ?? throw Damaged($"the entry '{entry.Name}' ({entry.EntryType}) is none of a backup's");
        if (!_names.Add(name))
        {
            throw Damaged($"'{name}' comes twice");
        }

        if (part == BackupPart.Sandbox)
        {
            CheckPlace(entry, name);
        }

        return (entry, part);
    }

    // What is written later goes only through directories that came with this backup, never through its links.
    private void CheckPlace(TarEntry entry, string name)
    {
        var parent = name[..name.LastIndexOf('/')];
        if (parent + "/" != BackupLayout.Sandboxes && !_directories.Contains(parent))
        {
            throw Damaged($"'{name}' is in no directory of the backup");
        }

        if (entry.EntryType == TarEntryType.Directory)
        {
            _directories.Add(name);
        }
        else if (entry.EntryType == TarEntryType.RegularFile)
        {
            _files.Add(name);
        }
        else if (entry.EntryType == TarEntryType.HardLink
            && !(_files.Contains(entry.LinkName) && SessionOf(entry.LinkName) == SessionOf(name)))
        {
            throw Damaged($"'{name}' links to '{entry.LinkName}', which is not a file of its sandbox");
        }
    }

    private static string SessionOf(string name) => name.Split('/')[1];

    private byte[] Small(TarEntry entry, BackupDigest? digest)
    {
        if (entry.Length > SmallBytesMax || entry.DataStream is not { } data)
        {
            throw Damaged($"'{entry.Name}' is {entry.Length} bytes long");
        }

        var content = new byte[entry.Length];
        data.ReadExactly(content);
        digest?.Add(content);
        return content;
    }

    private BackupException Damaged(string why) =>
        new($"{_path} is not a whole backup of Tenon: {why}.") { IsRefusal = true };

    /// <summary>Passes on what it reads, and counts it in.</summary>
    private sealed class DigestedStream(Stream inner, BackupDigest digest) : ForwardStream
    {
        public override int Read(Span<byte> buffer)
        {
            var count = inner.Read(buffer);
            digest.Add(buffer[..count]);
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    }
}
