using Microsoft.Win32.SafeHandles;
using Tenon.Server.Storage;

namespace Tenon.Server.Backups;

/// <summary>
/// Exactly as many bytes of a file as it had when it was looked at: what was cut off meanwhile reads as zeros, and what
/// was added is left out. An archive says how long a file is before it holds its bytes.
/// </summary>
internal sealed class SnapshotStream(SafeFileHandle file, long length, BackupDigest digest) : ForwardStream
{
    // The archive asks for the length, which it only does of what can seek; it never moves.
    public override bool CanSeek => true;

    public override long Length => length;

    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        var wanted = buffer[..(int)Math.Min(buffer.Length, length - Position)];
        if (wanted.Length == 0)
        {
            return 0;
        }

        var count = RandomAccess.Read(file, wanted, Position);
        if (count == 0)
        {
            wanted.Clear();
            count = wanted.Length;
        }

        digest.Add(wanted[..count]);
        Position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
}
