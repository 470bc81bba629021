using System.Buffers.Binary;

namespace Tenon.Server.Web.Reading;

/// <summary>Messages between the server and a program that reads: a length, then so many bytes.</summary>
internal static class ReaderFrames
{
    private const int LengthBytes = 4;

    /// <summary>Far above a document and its text as JSON; a larger one is a fault of the other side.</summary>
    private const int BytesMax = 64 * 1024 * 1024;

    public static async Task Write(Stream stream, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var length = new byte[LengthBytes];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        await stream.WriteAsync(length, cancellationToken);
        await stream.WriteAsync(bytes, cancellationToken);
        await stream.FlushAsync(cancellationToken);
    }

    /// <summary>The next message; null when the other side has hung up.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static async Task<byte[]?> Read(Stream stream, CancellationToken cancellationToken)
    {
        var length = new byte[LengthBytes];
        if (await stream.ReadAtLeastAsync(length, LengthBytes, throwOnEndOfStream: false, cancellationToken)
            < LengthBytes)
        {
            return null;
        }

        var count = BinaryPrimitives.ReadInt32LittleEndian(length);
        if (count is < 0 or > BytesMax)
        {
            throw new InvalidDataException($"A message of {count} bytes.");
        }

        var bytes = new byte[count];
        return await stream.ReadAtLeastAsync(bytes, count, throwOnEndOfStream: false, cancellationToken) < count
            ? null : bytes;
    }
}
