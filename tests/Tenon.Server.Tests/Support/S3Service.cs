using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Tenon.Server.Files;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// An S3 on loopback: the requests that Tenon makes, on real Kestrel, with one bucket in memory. It refuses what is not
/// signed with its key, as far as the header says, and does what a test wants to go wrong.
/// </summary>
public sealed class S3Service : IAsyncDisposable
{
    public const string Bucket = "bucket";
    public const string Prefix = "tenon/";
    public const string KeyId = "AKIATEST";
    public const string Secret = "s3cret-of-s3";

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, byte[]> _objects = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Upload> _uploads = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _requests = [];
    private int _failures;
    private int _cuts;
    private int _cutAfter;

    public S3Service()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        _app = builder.Build();
        _app.Run(Serve);
        _app.Start();
        Url = _app.Urls.Single();
    }

    public string Url { get; }

    /// <summary>Every connection is cut as long as this holds.</summary>
    public bool IsAway { get; set; }

    /// <summary>Method and path with query of every request that was served.</summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    /// <summary>The names of Tenon's objects.</summary>
    public IReadOnlyCollection<string> Names =>
        [.. _objects.Keys.Select(key => key[Prefix.Length..]).Order(StringComparer.Ordinal)];

    /// <summary>Uploads in parts that were begun and neither ended nor given up.</summary>
    public int Unfinished => _uploads.Count;

    public S3Place Place => new()
    {
        Bucket = Bucket, Prefix = Prefix, Region = "us-east-1", Endpoint = new Uri(Url), AccessKeyId = KeyId,
        SecretAccessKey = Secret, CacheBytesMax = 1024 * 1024 * 1024,
    };

    /// <summary>The next requests are answered with status 503.</summary>
    public void FailNext(int count) => Interlocked.Exchange(ref _failures, count);

    /// <summary>The next downloads break off after so many bytes.</summary>
    public void CutNext(int count, int after) => (_cuts, _cutAfter) = (count, after);

    /// <summary>Another program's object.</summary>
    public void Put(string key, byte[] content) => _objects[key] = content;

    /// <summary>An upload in parts that somebody begins and leaves.</summary>
    public string BeginUpload(string name)
    {
        var id = Guid.NewGuid().ToString("N");
        _uploads[id] = new Upload(Prefix + name);
        return id;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task Serve(HttpContext http)
    {
        if (IsAway)
        {
            http.Abort();
            return;
        }

        _requests.Enqueue($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}");
        if (Interlocked.Decrement(ref _failures) >= 0)
        {
            await Fail(http, 503, "SlowDown");
        }
        else if (!IsSigned(http.Request))
        {
            await Fail(http, 403, "SignatureDoesNotMatch");
        }
        else if (!http.Request.Path.StartsWithSegments("/" + Bucket, out var rest))
        {
            await Fail(http, 404, "NoSuchBucket");
        }
        else
        {
            await Answer(http, rest.Value!.TrimStart('/'));
        }
    }

    private static bool IsSigned(HttpRequest request) =>
        request.Headers.Authorization.ToString() is { } said
        && said.StartsWith($"AWS4-HMAC-SHA256 Credential={KeyId}/", StringComparison.Ordinal)
        && said.Contains("SignedHeaders=", StringComparison.Ordinal)
        && said.Contains("x-amz-content-sha256", StringComparison.Ordinal)
        && said.Contains("Signature=", StringComparison.Ordinal);

    private Task Answer(HttpContext http, string key)
    {
        var query = http.Request.Query;
        return http.Request.Method switch
        {
            "PUT" when query.ContainsKey("uploadId") => PutPart(http, query["uploadId"]!, Number(query["partNumber"]!)),
            "PUT" => PutObject(http, key),
            "GET" when query.ContainsKey("uploads") => ListUploads(http, query["prefix"].ToString()),
            "GET" => Get(http, key),
            "POST" when query.ContainsKey("uploads") => BeginUpload(http, key),
            "POST" when query.ContainsKey("uploadId") => EndUpload(http, key, query["uploadId"]!),
            "POST" when query.ContainsKey("delete") => Delete(http),
            "DELETE" when query.ContainsKey("uploadId") => GiveUp(http, query["uploadId"]!),
            _ => Fail(http, 400, "InvalidRequest"),
        };
    }

    private async Task PutObject(HttpContext http, string key)
    {
        if (await Content(http) is { } content)
        {
            _objects[key] = content;
            http.Response.Headers.ETag = Tag(content);
        }
    }

    private async Task PutPart(HttpContext http, string id, int number)
    {
        if (_uploads.TryGetValue(id, out var upload) && await Content(http) is { } content)
        {
            upload.Parts[number] = content;
            http.Response.Headers.ETag = Tag(content);
        }
    }

    /// <summary>The body, when it has the hash that was signed.</summary>
    private static async Task<byte[]?> Content(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        var content = body.ToArray();
        if (http.Request.Headers["x-amz-content-sha256"] == Convert.ToHexStringLower(SHA256.HashData(content)))
        {
            return content;
        }

        await Fail(http, 400, "XAmzContentSHA256Mismatch");
        return null;
    }

    private async Task Get(HttpContext http, string key)
    {
        if (!_objects.TryGetValue(key, out var content))
        {
            await Fail(http, 404, "NoSuchKey");
            return;
        }

        var range = http.Request.Headers.Range.ToString();
        var from = range.Length == 0 ? 0 : Number(range["bytes=".Length..^1]);
        http.Response.StatusCode = from == 0 ? 200 : 206;
        http.Response.ContentLength = content.Length - from;
        http.Response.Headers.ETag = Tag(content);
        if (_cuts > 0 && content.Length - from > _cutAfter)
        {
            _cuts--;
            await http.Response.Body.WriteAsync(content.AsMemory(from, _cutAfter), http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
            http.Abort();
            return;
        }

        await http.Response.Body.WriteAsync(content.AsMemory(from), http.RequestAborted);
    }

    private Task BeginUpload(HttpContext http, string key) =>
        Xml(http, new XElement("InitiateMultipartUploadResult",
            new XElement("Bucket", Bucket), new XElement("Key", key),
            new XElement("UploadId", BeginUpload(key[Prefix.Length..]))));

    private async Task EndUpload(HttpContext http, string key, string id)
    {
        var asked = await XDocument.LoadAsync(http.Request.Body, LoadOptions.None, http.RequestAborted);
        if (!_uploads.TryRemove(id, out var upload))
        {
            await Fail(http, 404, "NoSuchUpload");
            return;
        }

        var numbers = asked.Descendants().Where(element => element.Name.LocalName == "PartNumber")
            .Select(element => Number(element.Value));
        _objects[key] = [.. numbers.SelectMany(number => upload.Parts[number])];
        await Xml(http, new XElement("CompleteMultipartUploadResult",
            new XElement("Bucket", Bucket), new XElement("Key", key), new XElement("ETag", "\"whole\"")));
    }

    private Task ListUploads(HttpContext http, string prefix) =>
        Xml(http, new XElement("ListMultipartUploadsResult", new XElement("Bucket", Bucket),
            _uploads.Where(upload => upload.Value.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(upload =>
                new XElement("Upload", new XElement("Key", upload.Value.Key), new XElement("UploadId", upload.Key)))));

    private Task GiveUp(HttpContext http, string id)
    {
        _uploads.TryRemove(id, out _);
        http.Response.StatusCode = 204;
        return Task.CompletedTask;
    }

    private async Task Delete(HttpContext http)
    {
        var asked = await XDocument.LoadAsync(http.Request.Body, LoadOptions.None, http.RequestAborted);
        foreach (var key in asked.Descendants().Where(element => element.Name.LocalName == "Key"))
        {
            _objects.TryRemove(key.Value, out _);
        }

        await Xml(http, new XElement("DeleteResult"));
    }

    private static Task Fail(HttpContext http, int status, string code)
    {
        http.Response.StatusCode = status;
        return Xml(http, new XElement("Error",
            new XElement("Code", code), new XElement("Message", $"as the test wanted; key {KeyId}, {Secret}")));
    }

    private static Task Xml(HttpContext http, XElement body)
    {
        http.Response.ContentType = "application/xml";
        return http.Response.WriteAsync(body.ToString(), Encoding.UTF8, http.RequestAborted);
    }

    // As of an object that was sent in parts: such a tag is no hash that a client could check.
    private static string Tag(byte[] content) =>
        $"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..32]}-1\"";

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private sealed record Upload(string Key)
    {
        public ConcurrentDictionary<int, byte[]> Parts { get; } = new();
    }
}
