using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>The size that a file may have is a setting; here it is a mebibyte.</summary>
public sealed class FileLimitTests : IAsyncLifetime
{
    private const int BytesMax = 1 << 20;
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.Start(
        services => services.AddSingleton(new FileStorage { BytesMax = BytesMax }));

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_of_the_limit_is_taken_and_one_byte_more_is_refused_and_leaves_nothing(bool lengthIsKnown)
    {
        using var most = Form(BytesMax, lengthIsKnown);
        using var more = Form(BytesMax + 1, lengthIsKnown);
        using var muchMore = Form(BytesMax * 3, lengthIsKnown);

        var file = (await _server.Upload(most)).Ok();
        (await _server.Upload(more)).Refused(413, "The body is larger than 1048576 bytes.");
        (await _server.Upload(muchMore)).Refused(413, "The body is larger than ");

        Assert.Equal(BytesMax, file.At("size_bytes").GetInt64());
        Assert.Single((await _server.Get("/v1/files")).Ok().At("data").EnumerateArray());
        Assert.Single(Directory.GetFiles(Path.Combine(_server.DataDirectory, "files")));
    }

    [Fact]
    public async Task An_output_of_the_limit_is_listed_and_a_larger_one_is_not()
    {
        var session = await _server.NewSession(Tools);

        await session.Shell($"cd /outputs; truncate -s {BytesMax} most; truncate -s {BytesMax + 1} more; : > empty");

        var files = (await _server.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data").EnumerateArray()
            .ToDictionary(file => file.Text("filename"));
        Assert.Equal(["empty", "most"], files.Keys.Order());
        Assert.Empty((await _server.Download(files["empty"].Text("id"))).Bytes);
        Assert.Equal(BytesMax, (await _server.Download(files["most"].Text("id"))).Bytes.Length);
    }

    [Fact]
    public async Task An_empty_file_is_mounted_as_one()
    {
        var file = await _server.NewFile([], "empty.txt", "text/plain");
        var session = await _server.NewSession(Tools, ResourceTests.Resources(ResourceTests.Mounting(file, "e")));

        Assert.Equal("0 444", await session.Shell("stat -c '%s %a' /mnt/session/uploads/e"));
    }

    private static MultipartFormDataContent Form(int bytes, bool lengthIsKnown)
    {
        var form = new MultipartFormDataContent();
        HttpContent content = lengthIsKnown ? new ByteArrayContent(new byte[bytes]) : new Unknown(bytes);
        form.Add(content, "file", "f.bin");
        return form;
    }

    /// <summary>Content that does not say how long it is.</summary>
    private sealed class Unknown(int bytes) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
            await stream.WriteAsync(new byte[bytes]);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
