using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tenon.Server.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>Upload, metadata, download, deletion and expiry (api A.12, B.11).</summary>
public sealed class FileTests(TestServer server)
{
    private static readonly byte[] Text = "a,b\n1,2\n"u8.ToArray();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_upload_answers_what_is_known_of_the_file_and_so_does_asking_for_it()
    {
        var file = (await server.Upload(Uploads.Form(Text, "data.csv", "text/csv; charset=utf-8"))).Ok();

        JsonAssert.Equal($$"""
            {"type":"file","id":"{{file.Text("id")}}","filename":"data.csv","mime_type":"text/csv","size_bytes":8,
             "created_at":"{{file.Text("created_at")}}","downloadable":false,"expires_at":null,"scope":null}
            """, file);
        Assert.StartsWith("file_", file.Text("id"), StringComparison.Ordinal);
        JsonAssert.Equal(file.GetRawText(), (await server.Get($"/v1/files/{file.Text("id")}")).Ok());
    }

    [Theory]
    [InlineData("data.csv", null, "data.csv", "text/csv")]
    [InlineData("data.csv", "application/octet-stream", "data.csv", "text/csv")]
    [InlineData("data.csv", "no type", "data.csv", "text/csv")]
    [InlineData("data", null, "data", "application/octet-stream")]
    [InlineData("dir/sub/ü ✓.PDF", null, "ü ✓.PDF", "application/pdf")]
    [InlineData("C\\dir\\a.txt", null, "a.txt", "text/plain")]
    [InlineData(null, "image/png", "unnamed.png", "image/png")]
    [InlineData("", "text/plain", "unnamed.txt", "text/plain")]
    [InlineData("dir/", null, "unnamed", "application/octet-stream")]
    public async Task A_file_has_the_last_part_of_its_name_and_the_type_that_is_said_or_shown(
        string? sent, string? sentType, string name, string type)
    {
        var file = (await server.Upload(Uploads.Form(Text, sent, sentType))).Ok();

        Assert.Equal((name, type), (file.Text("filename"), file.Text("mime_type")));
    }

    [Theory]
    [InlineData("a%0Ab.txt")]
    [InlineData("a%0D%0Ab.txt")]
    [InlineData("a\tb.txt")]
    [InlineData("a%22b.txt")]
    [InlineData("a<b.txt")]
    [InlineData("a:b.txt")]
    [InlineData("a?b.txt")]
    [InlineData("..")]
    public async Task A_name_that_could_do_harm_is_refused(string name) =>
        (await server.Upload(Uploads.Form(Text, name))).Refused(400, "file: the file name has a control character");

    [Fact]
    public async Task A_name_with_a_line_break_in_its_extended_form_is_refused()
    {
        using var content = new ByteArrayContent(Text);
        content.Headers.ContentDisposition = new("form-data") { Name = "file", FileNameStar = "a\nb.txt" };
        using var form = new MultipartFormDataContent { content };

        (await server.Upload(form)).Refused(400, "file: the file name has a control character");
    }

    [Fact]
    public async Task A_name_that_is_too_long_is_refused()
    {
        (await server.Upload(Uploads.Form(Text, new string('a', 255)))).Ok();
        (await server.Upload(Uploads.Form(Text, new string('a', 256)))).Refused(400, "file: the file name is longer");
    }

    [Fact]
    public async Task An_empty_file_is_a_file()
    {
        Assert.Equal(0, (await server.Upload(Uploads.Form([], "empty.txt"))).Ok().At("size_bytes").GetInt64());
    }

    [Fact]
    public async Task A_form_that_is_none_is_refused_with_what_is_missing()
    {
        using var wrongName = new MultipartFormDataContent { { new ByteArrayContent(Text), "upload", "a.txt" } };
        using var twice = new MultipartFormDataContent
        {
            { new ByteArrayContent(Text), "file", "a.txt" }, { new ByteArrayContent(Text), "file", "b.txt" },
        };
        using var cut = new StringContent("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf");
        cut.Headers.ContentType = new("multipart/form-data") { Parameters = { new("boundary", "b") } };

        (await server.Upload(wrongName)).Refused(400, "file: field required");
        (await server.Upload(twice)).Refused(400, "file: only one file can be uploaded at a time.");
        (await server.Upload(cut)).Refused(400, "The body is not a whole multipart form.");
        (await server.Post("/v1/files", "{}")).Refused(400, "The body must be multipart/form-data with a boundary.");
        (await server.Upload(Uploads.Form(Text, "a", expires: "3599"))).Refused(400, "expires_in_seconds: must be");
        (await server.Upload(Uploads.Form(Text, "a", expires: "7776001"))).Refused(400, "expires_in_seconds: must be");
        (await server.Upload(Uploads.Form(Text, "a", expires: "1e4"))).Refused(400, "expires_in_seconds: must be");
        Assert.Empty(Parts());
    }

    [Fact]
    public async Task A_body_above_the_limit_is_refused_before_it_is_read()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, server.Client.BaseAddress!.Port, Cancelled);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/files HTTP/1.1\r\nHost: x\r\nX-Api-Key: {TestServer.ApiKey}\r\n"
            + $"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {502L * 1024 * 1024}\r\n"
            + "Expect: 100-continue\r\n\r\n"), Cancelled);
        using var reader = new StreamReader(stream);

        Assert.Contains("413", await reader.ReadLineAsync(Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_upload_that_is_cut_leaves_nothing()
    {
        await using var own = await TestServer.Start();
        var folder = new DirectoryInfo(Path.Combine(own.DataDirectory, "files"));
        using var watcher = new FileSystemWatcher(folder.FullName);
        var (begun, gone) = (new TaskCompletionSource(), new TaskCompletionSource());
        watcher.Created += (_, _) => begun.TrySetResult();
        watcher.Deleted += (_, _) => gone.TrySetResult();
        watcher.EnableRaisingEvents = true;
        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(IPAddress.Loopback, own.Client.BaseAddress!.Port, Cancelled);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
                $"POST /v1/files HTTP/1.1\r\nHost: x\r\nX-Api-Key: {TestServer.ApiKey}\r\n"
                + "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000\r\n\r\n"
                + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf"), Cancelled);
            await begun.Task.WaitAsync(Cancelled);
        }

        await gone.Task.WaitAsync(Cancelled);

        Assert.Empty(folder.EnumerateFiles());
        Assert.Empty((await own.Get("/v1/files")).Ok().At("data").EnumerateArray());
    }

    [Fact]
    public async Task What_a_crash_left_is_swept_at_the_next_start_and_files_stay()
    {
        await using var own = await TestServer.Start();
        var id = await own.NewFile();
        var folder = new DirectoryInfo(Path.Combine(own.DataDirectory, "files"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "file_stray.part"), "half", Cancelled);
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "file_norow"), "whole", Cancelled);

        await own.Restart();

        Assert.Equal([id], folder.EnumerateFiles().Select(file => file.Name));
        Assert.Equal(id, (await own.Get($"/v1/files/{id}")).Ok().Text("id"));
    }

    [Fact]
    public async Task A_file_that_was_uploaded_cannot_be_downloaded()
    {
        var id = await server.NewFile();

        (await server.Get($"/v1/files/{id}/content"))
            .Refused(400, $"File '{id}' was uploaded", "file_not_downloadable");
    }

    [Fact]
    public async Task A_deleted_file_is_gone_with_its_bytes()
    {
        var id = await server.NewFile();
        var blob = Path.Combine(server.DataDirectory, "files", id);
        Assert.Equal(Text, await File.ReadAllBytesAsync(blob, Cancelled));

        JsonAssert.Equal(
            $$"""{"id":"{{id}}","type":"file_deleted"}""", (await server.Delete($"/v1/files/{id}")).Ok());

        Assert.False(File.Exists(blob));
        (await server.Get($"/v1/files/{id}")).Refused(404, $"File '{id}' was not found.");
        (await server.Get($"/v1/files/{id}/content")).Refused(404, $"File '{id}' was not found.");
        (await server.Delete($"/v1/files/{id}")).Refused(404, $"File '{id}' was not found.");
    }

    [Fact]
    public async Task An_expired_file_has_no_content_and_a_month_later_no_metadata()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var own = await TestServer.Start(services => services.AddSingleton<TimeProvider>(clock));
        var file = (await own.Upload(Uploads.Form(Text, "a.txt", expires: "3600"))).Ok();
        var id = file.Text("id");
        Assert.Equal("2026-11-22T13:00:00.000000Z", file.Text("expires_at"));
        (await own.Get($"/v1/files/{id}/content")).Refused(400, $"File '{id}' was uploaded", "file_not_downloadable");

        clock.Advance(TimeSpan.FromHours(1));
        (await own.Get($"/v1/files/{id}/content")).Refused(404, $"File '{id}' has expired", "file_expired");
        await own.Restart();
        Assert.False(File.Exists(Path.Combine(own.DataDirectory, "files", id)));
        JsonAssert.Equal(file.GetRawText(), (await own.Get($"/v1/files/{id}")).Ok());

        clock.Advance(TimeSpan.FromDays(30));
        await own.Restart();
        (await own.Get($"/v1/files/{id}")).Refused(404, $"File '{id}' was not found.");
    }

    [Fact]
    public async Task The_bytes_of_an_expired_file_are_deleted_while_the_server_runs()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var own = await TestServer.Start(services => services.AddSingleton<TimeProvider>(clock));
        using var watcher = new FileSystemWatcher(Path.Combine(own.DataDirectory, "files"));
        var deleted = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        watcher.Deleted += (_, gone) => deleted.TrySetResult(gone.Name!);
        watcher.EnableRaisingEvents = true;
        var kept = await own.NewFile();
        var id = (await own.Upload(Uploads.Form(Text, "a.txt", expires: "3600"))).Ok().Text("id");

        clock.Advance(TimeSpan.FromHours(2));

        Assert.Equal(id, await deleted.Task.WaitAsync(Cancelled));
        Assert.True(File.Exists(Path.Combine(own.DataDirectory, "files", kept)));
    }

    [Fact]
    public async Task The_memory_of_an_upload_does_not_grow_with_its_size()
    {
        var (small, large) = (await Allocated(1 << 20), await Allocated(256 << 20));

        // Every read and write of this upload ends at once, so that all of it is on this thread.
        Assert.InRange(large, 0, small + (1 << 20));

        static async Task<long> Allocated(int bytes)
        {
            await using var body = new Form(bytes);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var input = await UploadInput.Read(
                "multipart/form-data; boundary=b", body, Stream.Null, FileStorage.DefaultBytesMax, Cancelled);
            Assert.Equal(bytes, input.SizeBytes);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private string[] Parts() => Directory.GetFiles(Path.Combine(server.DataDirectory, "files"), "*.part");

    /// <summary>A form with so many zero bytes, made as they are read.</summary>
    private sealed class Form(int bytes) : MemoryStream
    {
        private static readonly byte[] Head =
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big\"\r\n\r\n"u8.ToArray();

        private static readonly byte[] Tail = "\r\n--b--\r\n"u8.ToArray();

        private int _at;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var (part, from) = _at < Head.Length ? (Head, _at)
                : _at < Head.Length + bytes ? (null, 0)
                : (Tail, _at - Head.Length - bytes);
            var count = Math.Min(buffer.Length, part is null ? Head.Length + bytes - _at : part.Length - from);
            if (part is null)
            {
                buffer.Span[..count].Clear();
            }
            else
            {
                part.AsSpan(from, count).CopyTo(buffer.Span);
            }

            _at += count;
            return ValueTask.FromResult(count);
        }
    }
}
