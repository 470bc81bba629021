using Microsoft.Win32.SafeHandles;
using System.Formats.Tar;
using System.IO.Compression;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Backups;

/// <summary>The file of a backup while it is written: entries, the digest of them, and progress.</summary>
internal sealed class BackupArchive : IDisposable
{
    /// <summary>Progress is told each time so much more was read.</summary>
    private const long TellBytes = 256L * 1024 * 1024;

    /// <summary>What the format can hold of a time: it is cut to this (the year 2223).</summary>
    private const long SecondsMax = 8_000_000_000;

    private readonly BackupDigest _digest = new();
    private readonly TarWriter _tar;
    private readonly Action<string> _tell;
    private readonly CancellationToken _cancellationToken;
    private long _bytes;
    private long _toldAt;

    public BackupArchive(Stream target, Action<string> tell, CancellationToken cancellationToken)
    {
        (_tell, _cancellationToken) = (tell, cancellationToken);
        _tar = new TarWriter(
            new GZipStream(target, CompressionLevel.Fastest, leaveOpen: true), TarEntryFormat.Pax, leaveOpen: false);
    }

    public int Entries { get; private set; }

    /// <summary>An open file, as long as it was when its status was taken.</summary>
    public void Add(string name, SafeFileHandle file, FileStatus status)
    {
        using var content = new SnapshotStream(file, status.Size, _digest);
        var entry = Describe(new PaxTarEntry(TarEntryType.RegularFile, name), status);
        entry.DataStream = content;
        Write(entry);
    }

    public void AddDirectory(string name, FileStatus status) =>
        Write(Describe(new PaxTarEntry(TarEntryType.Directory, name), status));

    public void AddLink(string name, TarEntryType type, string target, int owner) => Write(
        new PaxTarEntry(type, name) { LinkName = target, Uid = owner, Gid = owner, ModificationTime = At(0, 0) });

    /// <summary>A file whose content was made here.</summary>
    public void Add(string name, byte[] content)
    {
        Write(Made(name, content));
        _digest.Add(content);
    }

    /// <summary>Ends the archive with the digest of all that is in it.</summary>
    public void Finish(string name)
    {
        var digest = System.Text.Encoding.ASCII.GetBytes(_digest.Finish());
        _tar.WriteEntry(Made(name, digest));
    }

    public void Dispose()
    {
        _tar.Dispose();
        _digest.Dispose();
    }

    private static PaxTarEntry Made(string name, byte[] content) =>
        new(TarEntryType.RegularFile, name)
        {
            Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            ModificationTime = At(0, 0),
            DataStream = new MemoryStream(content, writable: false),
        };

    private static PaxTarEntry Describe(PaxTarEntry entry, FileStatus status)
    {
        entry.Mode = status.Permissions;
        entry.Uid = (int)status.Owner;
        entry.Gid = (int)status.Group;
        entry.ModificationTime = At(status.Seconds, status.Nanoseconds);
        return entry;
    }

    private static DateTimeOffset At(long seconds, uint nanoseconds) =>
        DateTimeOffset.UnixEpoch.AddSeconds(Math.Clamp(seconds, 0, SecondsMax)).AddTicks(nanoseconds / 100);

    private void Write(PaxTarEntry entry)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        var length = entry.DataStream?.Length ?? 0;
        _digest.Add(entry, length);
        _tar.WriteEntry(entry);
        Entries++;
        _bytes += length;
        if (_bytes - _toldAt >= TellBytes)
        {
            _toldAt = _bytes;
            _tell($"  {_bytes / (1024 * 1024)} MiB in {Entries} entries");
        }
    }
}
