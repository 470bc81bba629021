using Tenon.Server.Egress;
using Tenon.Server.Storage;

namespace Tenon.Server.Mcp;

/// <summary>
/// The body of a server's answer as it is read: it ends with a fault where it is longer than it may be, and the token
/// that the request carried is taken out of it, should the server repeat it.
/// </summary>
/// <param name="inner">Disposed with this.</param>
/// <param name="secrets">What is taken out.</param>
internal sealed class McpBody(Stream inner, long bytesMax, Replacements secrets) : ForwardStream
{
    private const int ChunkBytes = 64 * 1024;

    private readonly ReplacedBody? _words = secrets.IsEmpty ? null : new ReplacedBody(secrets, []);
    private readonly byte[] _chunk = new byte[ChunkBytes];
    private ReadOnlyMemory<byte> _ready;
    private long _count;
    private bool _isOver;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_ready.IsEmpty && !_isOver)
        {
            await Fill(cancellationToken);
        }

        var count = Math.Min(buffer.Length, _ready.Length);
        _ready[..count].CopyTo(buffer);
        _ready = _ready[count..];
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task Fill(CancellationToken cancellationToken)
    {
        var count = await inner.ReadAsync(_chunk, cancellationToken);
        _count += count;
        if (_count > bytesMax)
        {
            throw new McpFaultException(McpFault.Connection, $"it sent more than {bytesMax} bytes in one answer.");
        }

        _isOver = count == 0;
        _ready = _words is null ? _chunk.AsMemory(0, count)
            : _isOver ? _words.End() : _words.Next(_chunk.AsMemory(0, count), isLast: false);
    }
}
