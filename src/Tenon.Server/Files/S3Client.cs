using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using System.Net;
using Tenon.Server.Storage;

namespace Tenon.Server.Files;

/// <summary>One bucket, asked for one thing at a time. Whatever goes wrong there is a <see cref="BlobsAwayException"/>.
/// </summary>
public sealed class S3Client(S3Place place) : IDisposable
{
    /// <summary>Keys of one request that deletes; the protocol's own number.</summary>
    public const int DeletesMax = 1_000;

    /// <summary>More than one is sent in parts of this size: S3 takes 10 000 parts of 5 MiB at least.</summary>
    private const int PartBytes = 16 * 1024 * 1024;

    /// <summary>Parts under way at once: enough to fill a line, and little beside what others need of it.</summary>
    private const int PartsAtOnce = 4;

    /// <summary>Tries after the first, with growing pauses: a service that is deployed anew is back in that time.
    /// </summary>
    private const int RetriesMax = 3;

    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(5);

    /// <summary>For one try of one request. A part takes that long on a line of half a megabit a second.</summary>
    private static readonly TimeSpan RequestTime = TimeSpan.FromMinutes(5);

    private readonly AmazonS3Client _s3 = Connect(place);

    public void Dispose() => _s3.Dispose();

    public async Task Put(string name, string path, CancellationToken cancellationToken)
    {
        var length = new FileInfo(path).Length;
        if (length > PartBytes)
        {
            await PutParts(name, path, length, cancellationToken);
            return;
        }

        await using var content = File.OpenRead(path);
        await Ask(() => _s3.PutObjectAsync(new PutObjectRequest
        {
            BucketName = place.Bucket, Key = place.KeyOf(name), InputStream = content, AutoCloseStream = false,
            UseChunkEncoding = false,
        }, cancellationToken), cancellationToken);
    }

    /// <summary>The object from a place on, and its whole length; null when there is none.</summary>
    public async Task<GetObjectResponse?> Get(string name, long from, CancellationToken cancellationToken)
    {
        try
        {
            return await Ask(() => _s3.GetObjectAsync(new GetObjectRequest
            {
                BucketName = place.Bucket, Key = place.KeyOf(name),
                ByteRange = from > 0 ? new ByteRange($"bytes={from}-") : null,
            }, cancellationToken), cancellationToken);
        }
        catch (BlobsAwayException exception)
            when (exception.InnerException is AmazonS3Exception { ErrorCode: "NoSuchKey" })
        {
            // The one answer that is about the object and not about the store.
            return null;
        }
    }

    /// <summary>Deletes at most <see cref="DeletesMax"/> objects, those that are there.</summary>
    public Task Delete(IReadOnlyCollection<string> names, CancellationToken cancellationToken) =>
        Ask(() => _s3.DeleteObjectsAsync(new DeleteObjectsRequest
        {
            BucketName = place.Bucket, Quiet = true,
            Objects = [.. names.Select(name => new KeyVersion { Key = place.KeyOf(name) })],
        }, cancellationToken), cancellationToken);

    /// <summary>Gives up the uploads in parts that were begun for a name and never ended.</summary>
    public async Task Abort(string name, CancellationToken cancellationToken)
    {
        var key = place.KeyOf(name);
        var begun = await Ask(() => _s3.ListMultipartUploadsAsync(
            new ListMultipartUploadsRequest { BucketName = place.Bucket, Prefix = key }, cancellationToken),
            cancellationToken);
        foreach (var upload in (begun.MultipartUploads ?? []).Where(upload => upload.Key == key))
        {
            await Ask(() => _s3.AbortMultipartUploadAsync(
                new AbortMultipartUploadRequest { BucketName = place.Bucket, Key = key, UploadId = upload.UploadId },
                cancellationToken), cancellationToken);
        }
    }

    private async Task PutParts(string name, string path, long length, CancellationToken cancellationToken)
    {
        var key = place.KeyOf(name);
        var begun = await Ask(() => _s3.InitiateMultipartUploadAsync(
            new InitiateMultipartUploadRequest { BucketName = place.Bucket, Key = key }, cancellationToken),
            cancellationToken);
        var tags = new PartETag[(length + PartBytes - 1) / PartBytes];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, tags.Length),
            new ParallelOptions { MaxDegreeOfParallelism = PartsAtOnce, CancellationToken = cancellationToken },
            async (i, cancelled) =>
            {
                var at = (long)i * PartBytes;
                var sent = await Ask(() => _s3.UploadPartAsync(new UploadPartRequest
                {
                    BucketName = place.Bucket, Key = key, UploadId = begun.UploadId, PartNumber = i + 1,
                    FilePath = path, FilePosition = at, PartSize = Math.Min(PartBytes, length - at),
                    UseChunkEncoding = false,
                }, cancelled), cancelled);
                tags[i] = new PartETag(i + 1, sent.ETag);
            });
        await Ask(() => _s3.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest
        {
            BucketName = place.Bucket, Key = key, UploadId = begun.UploadId, PartETags = [.. tags],
        }, cancellationToken), cancellationToken);
    }

    private static async Task<T> Ask<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await ask();
        }
        catch (AmazonServiceException exception)
        {
            // Its own words may quote the request; the code and the status say what an operator needs.
            throw new BlobsAwayException(
                $"The store of the files answered {(int)exception.StatusCode} {exception.ErrorCode}.", exception);
        }
        catch (Exception exception) when (exception is AmazonClientException or IOException or HttpRequestException
            or WebException or TimeoutException || IsTimeout(exception, cancellationToken))
        {
            // Nobody there, or no answer in time.
            throw new BlobsAwayException("The store of the files cannot be reached now; try again shortly.", exception);
        }
    }

    private static bool IsTimeout(Exception exception, CancellationToken cancellationToken) =>
        exception is OperationCanceledException && !cancellationToken.IsCancellationRequested;

    private static AmazonS3Client Connect(S3Place place)
    {
        var config = new AmazonS3Config
        {
            AuthenticationRegion = place.Region,
            ConnectTimeout = ConnectTime,
            Timeout = RequestTime,
            MaxErrorRetry = RetriesMax,
            RetryMode = RequestRetryMode.Standard,

            // Services that are not Amazon's do not all know the newer checksums.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (place.Endpoint is { } endpoint)
        {
            (config.ServiceURL, config.ForcePathStyle) = (endpoint.ToString(), true);
        }
        else
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(place.Region);
        }

        // Given here, so that the library looks for none elsewhere: it would ask the cloud's metadata service.
        return new AmazonS3Client(place.SessionToken is { } token
            ? new SessionAWSCredentials(place.AccessKeyId, place.SecretAccessKey, token)
            : new BasicAWSCredentials(place.AccessKeyId, place.SecretAccessKey), config);
    }
}
