using Amazon.Runtime;
using Amazon.S3.Model;
using Tenon.Server.Storage;

namespace Tenon.Server.Files;

/// <summary>An object's bytes as they come. A line that breaks is taken up again where it broke.</summary>
internal sealed class S3Content : ForwardStream
{
    /// <summary>Breaks of one download: more say that the store is away.</summary>
    private const int BreaksMax = 5;

    /// <summary>For one piece. Without it a store that goes silent would hold a client's request for ever.</summary>
    private static readonly TimeSpan ReadTime = TimeSpan.FromSeconds(30);

    private readonly S3Client _s3;
    private readonly string _name;
    private GetObjectResponse _response;
    private long _at;
    private int _breaks;

    private S3Content(S3Client s3, string name, GetObjectResponse response)
    {
        (_s3, _name, _response) = (s3, name, response);
        Length = response.ContentLength;
    }

    /// <summary>Null when there is no such object.</summary>
    public static async Task<S3Content?> Open(S3Client s3, string name, CancellationToken cancellationToken) =>
        await s3.Get(name, 0, cancellationToken) is { } response ? new S3Content(s3, name, response) : null;

    public override long Length { get; }

    public override long Position
    {
        get => _at;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                patience.CancelAfter(ReadTime);
                var count = await _response.ResponseStream.ReadAsync(buffer, patience.Token);
                _at += count;
                if (count > 0 || _at == Length || buffer.Length == 0)
                {
                    return count;
                }

                throw new EndOfStreamException();
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested
                && exception is IOException or HttpRequestException or OperationCanceledException
                    or AmazonClientException)
            {
                // The line broke. What has come stands, and the rest is asked for.
                await Resume(exception, cancellationToken);
            }
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("It is read asynchronously.");

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _response.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task Resume(Exception exception, CancellationToken cancellationToken)
    {
        if (++_breaks > BreaksMax)
        {
            throw new BlobsAwayException("The store of the files broke off again and again.", exception);
        }

        _response.Dispose();
        _response = await _s3.Get(_name, _at, cancellationToken)
            ?? throw new BlobsAwayException("The store of the files no longer has the rest of a file.", exception);
    }
}
