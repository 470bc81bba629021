using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>Hosts that send too much, too slowly, or what is more than it seems.</summary>
public sealed class WebFetchLimitTests : IAsyncDisposable
{
    private const string CutNote = "[The page goes on; what is beyond was left out.]";
    private const long Gigabyte = 1L << 30;

    private readonly PageHost _host = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_page_of_a_gigabyte_is_left_after_its_first_megabytes()
    {
        using var lab = new WebLab(new WebLimits { TextCharsMax = int.MaxValue });
        using var listener = new TcpListener(PageHost.Address, 0);
        listener.Start();
        var sending = SendGigabyte(listener);

        var output = await lab.Fetch($"http://site.test:{((IPEndPoint)listener.LocalEndpoint).Port}/", Token);

        var sent = await sending;
        var text = WebLab.Text(output);
        Assert.False(output.IsError);
        Assert.Equal(lab.Limits.PageBytesMax, text.Count(c => c == 'a') - CutNote.Count(c => c == 'a'));
        Assert.EndsWith(CutNote, text, StringComparison.Ordinal);
        Assert.True(sent < Gigabyte / 8, $"{sent} bytes were taken.");
    }

    /// <summary>Serves a page of a gigabyte; the bytes that the client's side took before it hung up.</summary>
    private static async Task<long> SendGigabyte(TcpListener listener)
    {
        using var socket = await listener.AcceptSocketAsync(Token);
        await socket.ReceiveAsync(new byte[64 * 1024], Token);
        await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"u8.ToArray(), Token);
        var chunk = Encoding.ASCII.GetBytes(new string('a', 64 * 1024));
        var sent = 0L;
        try
        {
            while (sent < Gigabyte)
            {
                sent += await socket.SendAsync(chunk, Token);
            }
        }
        catch (SocketException)
        {
            // The client has hung up.
        }

        return sent;
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_page_that_unpacks_to_far_more_is_read_to_the_limit(string encoding)
    {
        using var lab = new WebLab(new WebLimits { TextCharsMax = int.MaxValue });
        using var packed = new MemoryStream();
        await using (Stream stream = encoding == "gzip"
            ? new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)
            : new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            var chunk = Encoding.ASCII.GetBytes(new string('b', 1024 * 1024));
            for (var i = 0; i < 256; i++)
            {
                stream.Write(chunk);
            }
        }

        Assert.True(packed.Length < 4 * 1024 * 1024, $"{packed.Length} bytes are no bomb.");
        _host.Page("/", async http =>
        {
            http.Response.ContentType = "text/plain";
            http.Response.Headers.ContentEncoding = encoding;
            await http.Response.Body.WriteAsync(packed.ToArray(), http.RequestAborted);
        });

        var text = WebLab.Text(await lab.Fetch(_host.Url("/"), Token));

        Assert.Equal(lab.Limits.PageBytesMax, text.LastIndexOf("b\n\n[", StringComparison.Ordinal) + 1);
    }

    [Theory]
    [InlineData("gzip, gzip")]
    [InlineData("zstd")]
    public async Task A_packing_that_is_not_known_is_refused(string encoding)
    {
        using var lab = new WebLab();
        _host.Page("/", http =>
        {
            http.Response.ContentType = "text/plain";
            http.Response.Headers.ContentEncoding = encoding;
            return http.Response.WriteAsync("x");
        });

        var output = await lab.Fetch(_host.Url("/"), Token);

        Assert.True(output.IsError);
        Assert.StartsWith("un", WebLab.Text(output), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_packed_page_that_is_damaged_is_an_error_and_not_half_a_page()
    {
        using var lab = new WebLab();
        _host.Page("/", http =>
        {
            http.Response.ContentType = "text/plain";
            http.Response.Headers.ContentEncoding = "gzip";
            return http.Response.Body.WriteAsync(new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }).AsTask();
        });

        Assert.Equal(
            "url_not_accessible: the connection ended in the middle of it.",
            WebLab.Text(await lab.Fetch(_host.Url("/"), Token)));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("<p>It begins")]
    public async Task A_host_that_is_slow_for_ever_is_left_when_the_time_is_over(string? beginning)
    {
        var clock = new FakeTimeProvider();
        using var lab = new WebLab(clock: clock);
        var (came, left) = _host.Hang("/", beginning);
        var fetching = lab.Fetch(_host.Url("/"), Token);
        await came.WaitAsync(Token);

        clock.Advance(lab.Limits.FetchTimeMax);
        var output = await fetching;

        Assert.Equal("url_not_accessible: it took longer than 45 s.", WebLab.Text(output));
        await left.WaitAsync(Token);
    }

    [Fact]
    public async Task A_fetch_that_is_cancelled_leaves_its_host()
    {
        using var lab = new WebLab();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var (came, left) = _host.Hang("/");
        var fetching = lab.Fetch(_host.Url("/"), stop.Token);
        await came.WaitAsync(Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetching);
        await left.WaitAsync(Token);
    }

    [Fact]
    public async Task A_fetch_that_waits_for_a_place_has_the_same_time()
    {
        var clock = new FakeTimeProvider();
        using var lab = new WebLab(new WebLimits { FetchesMax = 1 }, clock);
        var (came, _) = _host.Hang("/first");
        _host.Page("/second", "text/plain", "x");
        var first = lab.Fetch(_host.Url("/first"), Token);
        await came.WaitAsync(Token);
        var second = lab.Fetch(_host.Url("/second"), Token);

        clock.Advance(lab.Limits.FetchTimeMax);

        foreach (var output in await Task.WhenAll(first, second))
        {
            Assert.StartsWith("url_not_accessible: it took longer", WebLab.Text(output), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_text_that_is_longer_than_any_is_kept_is_cut()
    {
        using var lab = new WebLab();
        _host.Page("/", "text/plain", new string('a', 1_500_000));

        var text = WebLab.Text(await lab.Fetch(_host.Url("/"), Token));

        Assert.Equal(new string('a', 1_000_000) + "\n\n" + CutNote, text);
    }

    [Fact]
    public async Task A_head_that_does_not_end_is_refused()
    {
        using var lab = new WebLab();
        _host.Page("/", http =>
        {
            http.Response.Headers["X-Long"] = new string('x', 100_000);
            return http.Response.WriteAsync("x");
        });

        Assert.Equal(
            "url_not_accessible: the head of the answer is too long.",
            WebLab.Text(await lab.Fetch(_host.Url("/"), Token)));
    }
}
