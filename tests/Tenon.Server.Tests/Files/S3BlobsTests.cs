using Microsoft.Extensions.Logging.Abstractions;
using System.Security.Cryptography;
using Tenon.Server.Files;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>Blobs in S3: the same as in a folder, and what only a store elsewhere can do.</summary>
public sealed class S3BlobsTests : BlobStoreConformance, IAsyncLifetime
{
    private readonly S3Service _s3 = new();
    private readonly List<S3Blobs> _stores = [];
    private long _cacheBytesMax = 1024 * 1024 * 1024;

    public ValueTask InitializeAsync()
    {
        Begin();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        await _s3.DisposeAsync();

        // Who is disposed of asynchronously is not disposed of otherwise.
        Dispose();
    }

    [Fact]
    public async Task A_large_blob_is_sent_in_parts_and_a_small_one_at_once()
    {
        await Keep("file_small", [1]);
        await Keep("file_large", new byte[40 * 1024 * 1024]);

        Assert.Equal(1, _s3.Requests.Count(asked => asked == "PUT /bucket/tenon/file_small"));
        Assert.Equal(3, _s3.Requests.Count(asked =>
            asked.StartsWith("PUT /bucket/tenon/file_large?partNumber=", StringComparison.Ordinal)));
        Assert.Equal(0, _s3.Unfinished);
    }

    [Fact]
    public async Task What_is_not_on_this_machine_is_streamed_and_fetched()
    {
        var content = RandomNumberGenerator.GetBytes(300_000);
        await Keep("file_a", content);
        File.Delete(System.IO.Path.Combine(Path, "file_a"));

        Assert.Equal(SHA256.HashData(content), await Read("file_a"));
        Assert.Empty(Directory.GetFiles(Path));
        var paths = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Store.FileOf("file_a", Cancelled)));

        Assert.Equal(content, await File.ReadAllBytesAsync(Assert.Single(paths.Distinct())!, Cancelled));
        Assert.Equal(2, _s3.Requests.Count(asked => asked == "GET /bucket/tenon/file_a"));
    }

    [Fact]
    public async Task A_download_that_breaks_off_goes_on_where_it_broke()
    {
        var content = RandomNumberGenerator.GetBytes(500_000);
        await Keep("file_a", content);
        File.Delete(System.IO.Path.Combine(Path, "file_a"));
        _s3.CutNext(3, after: 100_000);

        Assert.Equal(SHA256.HashData(content), await Read("file_a"));
    }

    [Fact]
    public async Task A_download_that_breaks_off_again_and_again_fails()
    {
        await Keep("file_a", new byte[500_000]);
        File.Delete(System.IO.Path.Combine(Path, "file_a"));
        _s3.CutNext(100, after: 1_000);

        await Assert.ThrowsAsync<BlobsAwayException>(() => Read("file_a"));
    }

    [Fact]
    public async Task A_store_that_is_busy_is_asked_again()
    {
        _s3.FailNext(2);

        await Keep("file_a", [1]);

        Assert.Equal(["file_a"], _s3.Names);
    }

    [Fact]
    public async Task A_store_that_is_away_says_so_without_secrets_and_what_was_begun_leaves_nothing()
    {
        await Keep("file_a", [1]);
        File.Delete(System.IO.Path.Combine(Path, "file_a"));
        _s3.IsAway = true;

        var failures = new[]
        {
            await Assert.ThrowsAsync<BlobsAwayException>(() => Keep("file_b", [1])),
            await Assert.ThrowsAsync<BlobsAwayException>(() => Store.Open("file_a", Cancelled)),
            await Assert.ThrowsAsync<BlobsAwayException>(() => Store.FileOf("file_a", Cancelled)),
        };

        Assert.All(failures, failure =>
        {
            Assert.Equal("The store of the files cannot be reached now; try again shortly.", failure.Message);
            Assert.DoesNotContain(S3Service.Secret, failure.ToString(), StringComparison.Ordinal);
        });
        Assert.False(File.Exists(System.IO.Path.Combine(Path, "file_b.part")));
        _s3.IsAway = false;
        await Keep("file_c", [1]);
        Assert.Equal(["file_a", "file_c"], _s3.Names);
    }

    [Fact]
    public async Task A_store_that_refuses_the_credentials_says_which_code_and_not_its_words()
    {
        await using var store = new S3Blobs(
            _s3.Place with { AccessKeyId = "AKIAWRONG" }, Path, NullLogger<S3Blobs>.Instance);

        var failure = await Assert.ThrowsAsync<BlobsAwayException>(() => store.Open("file_a", Cancelled));

        Assert.Equal("The store of the files answered 403 SignatureDoesNotMatch.", failure.Message);
    }

    [Fact]
    public async Task What_is_deleted_while_the_store_is_away_goes_when_it_is_back_also_after_a_restart()
    {
        await Keep("file_a", [1]);
        await Keep("file_b", [1]);
        _s3.IsAway = true;
        Store.Delete(["file_a"]);
        await _stores[0].DisposeAsync();
        _stores.Clear();
        _s3.IsAway = false;

        Begin();
        Store.DeleteStrays(new HashSet<string> { "file_b" });

        await Until(() => _s3.Names.SequenceEqual(["file_b"]));
        await Until(() => Directory.GetFiles(Path).Length == 1);
    }

    [Fact]
    public async Task Parts_of_an_upload_that_a_crash_cut_are_given_up_at_the_next_start()
    {
        _s3.BeginUpload("file_cut");
        _s3.BeginUpload("file_cutter");
        await File.WriteAllTextAsync(System.IO.Path.Combine(Path, "file_cut.part"), "half", Cancelled);
        Age();

        Begin();
        Store.DeleteStrays(new HashSet<string>());

        await Until(() => _s3.Unfinished == 1 && Directory.GetFiles(Path).Length == 0);
    }

    [Fact]
    public async Task A_fetch_that_a_crash_cut_costs_no_blob()
    {
        await Keep("file_a", [1]);
        File.Move(System.IO.Path.Combine(Path, "file_a"), System.IO.Path.Combine(Path, "file_a.part"));
        Age();

        Begin();
        Store.DeleteStrays(new HashSet<string> { "file_a" });

        Assert.NotNull(await Store.FileOf("file_a", Cancelled));
        Assert.Equal(["file_a"], _s3.Names);
    }

    [Fact]
    public async Task Other_objects_of_the_bucket_are_never_touched()
    {
        _s3.Put("tenon/another-installation's", [1]);
        _s3.Put("tenon/file_of_it", [1]);
        await Keep("file_a", [1]);
        Age();

        Begin();
        Store.DeleteStrays(new HashSet<string>());

        await Until(() => !_s3.Names.Contains("file_a"));
        Assert.Equal(2, _s3.Names.Count);
    }

    [Fact]
    public async Task This_machine_keeps_no_more_than_it_may_and_never_drops_what_was_just_asked_for()
    {
        _cacheBytesMax = 250;
        Begin();
        foreach (var name in (string[])["file_a", "file_b", "file_c"])
        {
            await Keep(name, new byte[100]);
        }

        Assert.Equal(3, Directory.GetFiles(Path).Length);
        var old = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1);
        File.SetLastAccessTimeUtc(System.IO.Path.Combine(Path, "file_a"), old);
        File.SetLastAccessTimeUtc(System.IO.Path.Combine(Path, "file_b"), old.AddMinutes(1));

        await Keep("file_d", new byte[100]);

        Assert.Equal(["file_c", "file_d"],
            Directory.GetFiles(Path).Select(System.IO.Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(4, _s3.Names.Count);
        Assert.NotNull(await Store.FileOf("file_a", Cancelled));
    }

    protected override IBlobStore NewStore()
    {
        var store = new S3Blobs(
            _s3.Place with { CacheBytesMax = _cacheBytesMax }, Path, NullLogger<S3Blobs>.Instance);
        _stores.Add(store);
        return store;
    }

    protected override IEnumerable<string> Names() => _s3.Names;
}
