using System.Security.Cryptography;
using Tenon.Server.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>What a store of blobs must do, wherever it keeps them.</summary>
public abstract class BlobStoreConformance : IDisposable
{
    private readonly TempFolder _folder = new();

    protected static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>The folder that the store was given.</summary>
    protected string Path => System.IO.Path.Combine(_folder.Path, "files");

    protected IBlobStore Store { get; private set; } = null!;

    /// <summary>A store over the same place, as the next start of a server makes one.</summary>
    protected abstract IBlobStore NewStore();

    /// <summary>The names of all blobs there are, wherever they are; those that are to go may still be there.</summary>
    protected abstract IEnumerable<string> Names();

    protected void Begin() => Store = NewStore();

    public virtual void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    [InlineData(40 * 1024 * 1024 + 7)]
    public async Task What_was_kept_is_read_whole_here_and_elsewhere(int bytes)
    {
        var content = RandomNumberGenerator.GetBytes(bytes);
        await Keep("file_a", content);

        Assert.Equal(SHA256.HashData(content), await Read("file_a"));
        var path = await Store.FileOf("file_a", Cancelled);
        Assert.Equal(SHA256.HashData(content), SHA256.HashData(await File.ReadAllBytesAsync(path!, Cancelled)));
        Assert.Equal(["file_a"], Names());
    }

    [Fact]
    public async Task A_blob_that_is_not_kept_leaves_nothing()
    {
        await using (var blob = Store.Begin("file_a"))
        {
            await blob.Stream.WriteAsync("half"u8.ToArray(), Cancelled);
        }

        Assert.Null(await Store.Open("file_a", Cancelled));
        Assert.Null(await Store.FileOf("file_a", Cancelled));
        Assert.Empty(Names());
        Assert.Empty(Directory.GetFiles(Path));
    }

    [Fact]
    public async Task A_name_that_has_no_blob_has_none()
    {
        Assert.Null(await Store.Open("file_a", Cancelled));
        Assert.Null(await Store.FileOf("file_a", Cancelled));
        Store.Delete(["file_a"]);
    }

    [Fact]
    public async Task What_was_deleted_is_gone_and_who_reads_it_reads_on()
    {
        await Keep("file_a", [1, 2, 3]);
        await Keep("file_b", [4]);
        await using var reading = await Store.Open("file_a", Cancelled);

        Store.Delete(["file_a"]);

        Assert.Equal(3, await reading!.ReadAtLeastAsync(new byte[3], 3, cancellationToken: Cancelled));
        await Until(() => Names().SequenceEqual(["file_b"]));
        Assert.Null(await Store.Open("file_a", Cancelled));
        Assert.NotNull(await Store.FileOf("file_b", Cancelled));
    }

    [Fact]
    public async Task A_new_start_deletes_what_has_no_name_and_keeps_the_rest()
    {
        await Keep("file_a", [1]);
        await Keep("file_norow", [2]);
        await File.WriteAllTextAsync(System.IO.Path.Combine(Path, "file_cut.part"), "half", Cancelled);
        Age();

        Begin();
        Store.DeleteStrays(new HashSet<string> { "file_a" });

        await Until(() => Names().SequenceEqual(["file_a"]));
        await Until(() => Directory.GetFiles(Path).Select(System.IO.Path.GetFileName).SequenceEqual(["file_a"]));
        Assert.NotNull(await Store.Open("file_a", Cancelled));
    }

    [Fact]
    public async Task What_this_start_has_written_is_no_stray()
    {
        await using var blob = Store.Begin("file_a");
        await blob.Stream.WriteAsync("half"u8.ToArray(), Cancelled);

        Store.DeleteStrays(new HashSet<string>());
        await blob.Stream.WriteAsync(" and half"u8.ToArray(), Cancelled);
        await blob.Keep(Cancelled);

        Assert.NotNull(await Store.Open("file_a", Cancelled));
        Assert.Equal(["file_a"], Names());
    }

    protected async Task Keep(string name, byte[] content)
    {
        await using var blob = Store.Begin(name);
        await blob.Stream.WriteAsync(content, Cancelled);
        await blob.Keep(Cancelled);
    }

    /// <summary>Makes what is there older than any store that is made from now on.</summary>
    protected void Age()
    {
        foreach (var path in Directory.GetFiles(Path))
        {
            File.SetLastWriteTimeUtc(path, File.GetLastWriteTimeUtc(path).AddMinutes(-1));
        }
    }

    protected async Task<byte[]> Read(string name)
    {
        await using var content = await Store.Open(name, Cancelled);
        return await SHA256.HashDataAsync(content!, Cancelled);
    }

    protected static async Task Until(Func<bool> holds)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        patience.CancelAfter(TestStream.Patience);
        while (!holds())
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}

public sealed class BlobFolderTests : BlobStoreConformance
{
    public BlobFolderTests() => Begin();

    protected override IBlobStore NewStore() => new BlobFolder(Path);

    protected override IEnumerable<string> Names() => BlobFolder.NamesIn(Path);
}
