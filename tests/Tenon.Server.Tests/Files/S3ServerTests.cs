using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using System.Collections;
using System.Text;
using Tenon.Server.Configuration;
using Tenon.Server.Files;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Skills;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>A whole server whose files are in S3.</summary>
public sealed class S3ServerTests : IAsyncLifetime
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private readonly S3Service _s3 = new();
    private TestServer _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Folder => Path.Combine(_server.DataDirectory, "files");

    public async ValueTask InitializeAsync() => _server = await TestServer.Start(services =>
        services.AddSingleton<IBlobStore>(provider => new S3Blobs(
            _s3.Place, provider.GetRequiredService<DataFolder>().BlobsPath, NullLogger<S3Blobs>.Instance)));

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _s3.DisposeAsync();
    }

    [Fact]
    public async Task A_file_goes_through_a_session_and_back_though_this_machine_keeps_nothing()
    {
        var file = await _server.NewFile("from afar");
        Forget();
        var session = await _server.NewSession(Tools, ResourceTests.Resources(ResourceTests.Mounting(file, "f")));

        await session.Shell("cp /mnt/session/uploads/f /mnt/session/outputs/copy.txt");
        var id = (await _server.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data").EnumerateArray()
            .Single(one => one.Text("filename") == "copy.txt").Text("id");
        Forget();
        var (_, bytes, headers) = await _server.Download(id);

        Assert.Equal("from afar", Encoding.UTF8.GetString(bytes));
        Assert.Equal(9, headers.ContentLength);
        Assert.Equal([file, id], _s3.Names);
    }

    [Fact]
    public async Task A_skill_is_kept_there_unpacked_from_there_and_deleted_there()
    {
        var skill = await _server.NewSkill(says: "from afar");
        var version = skill.Text("latest_version_id");
        Forget();
        var plain = await _server.NewSession(Tools);
        var session = await _server.NewSessionOf(plain.ModelName, plain.AgentId, $$"""
            "agent":{"type":"agent_with_overrides","id":"{{plain.AgentId}}",
             "skills":[{"type":"custom","skill_id":"{{skill.Text("id")}}"}]}
            """);

        Assert.Equal([version], _s3.Names);
        Assert.Equal("from afar", await session.Shell("/mnt/skills/release-notes/scripts/run.sh"));
        await _server.Restart();
        Assert.Equal([version], _s3.Names);
        (await _server.Delete(session.Path)).Ok();
        (await _server.Delete($"/v1/skills/{skill.Text("id")}")).Ok();
        await Until(() => _s3.Names.Count == 0);
    }

    [Fact]
    public async Task A_store_that_is_away_is_told_and_the_server_goes_on_by_itself_when_it_is_back()
    {
        var file = await _server.NewFile("before");
        Forget();
        _s3.IsAway = true;

        (await _server.Upload(Uploads.Form([1], "a.txt"))).Refused(503, "The store of the files cannot be reached now");
        var session = await _server.NewSession(Tools, ResourceTests.Resources(ResourceTests.Mounting(file, "f")));
        var failed = await session.Shell("cat /uploads/f");
        Assert.Equal(file, (await _server.Get($"/v1/files/{file}")).Ok().Text("id"));
        _s3.IsAway = false;

        Assert.Contains("The store of the files cannot be reached now", failed, StringComparison.Ordinal);
        Assert.Equal("before", await session.Shell("cat /uploads/f"));
        await _server.NewFile("after");
        Assert.Equal(2, _s3.Names.Count);
    }

    [Fact]
    public async Task A_model_request_that_needs_a_file_waits_for_the_store()
    {
        var file = await _server.NewFile("the notes", "notes.txt", "text/plain");
        Forget();
        var session = await _server.NewSession();
        session.Model.Says("seen");
        _s3.FailNext(4);

        await session.Run($$$"""
            {"type":"user.message","content":[{"type":"document","source":{"type":"file","file_id":"{{{file}}}"}}]}
            """);

        Assert.Contains("session.status_rescheduled", await session.Types());
        Assert.Single(session.Model.Requests);
    }

    [Fact]
    public async Task Deleted_files_and_those_of_deleted_sessions_leave_the_bucket()
    {
        var file = await _server.NewFile();
        var session = await _server.NewSession(Tools, ResourceTests.Resources(ResourceTests.Mounting(file, "f")));
        await session.Shell("echo out > /outputs/o");
        await Until(() => _s3.Names.Count == 2);

        (await _server.Delete(session.Path)).Ok();
        await Until(() => _s3.Names.SequenceEqual([file]));
        (await _server.Delete($"/v1/files/{file}")).Ok();

        await Until(() => _s3.Names.Count == 0 && Directory.GetFiles(Folder).Length == 0);
    }

    [Fact]
    public async Task The_settings_lead_to_the_bucket()
    {
        using var folder = new TempFolder();
        var settings = SettingsReader.Read(
            ["--data", folder.Path, "--files-store", "s3", "--s3-bucket", S3Service.Bucket, "--s3-endpoint", _s3.Url],
            new Hashtable
            {
                ["AWS_ACCESS_KEY_ID"] = S3Service.KeyId, ["AWS_SECRET_ACCESS_KEY"] = S3Service.Secret,
            });
        await using var app = TenonServer.Build(settings, out _);
        await using var blob = app.Services.GetRequiredService<IBlobStore>().Begin("file_a");

        await blob.Keep(Cancelled);

        Assert.Equal(["file_a"], _s3.Names);
    }

    [Fact]
    public async Task The_doctor_tries_the_store_and_leaves_nothing_there()
    {
        var found = await FileSettings.Probe(_s3.Place, Cancelled);
        var refused = await FileSettings.Probe(_s3.Place with { AccessKeyId = "AKIAWRONG" }, Cancelled);

        Assert.True(found.Held, found.Detail);
        Assert.False(refused.Held);
        Assert.EndsWith("The store of the files answered 403 SignatureDoesNotMatch.", refused.Detail,
            StringComparison.Ordinal);
        Assert.DoesNotContain(S3Service.Secret, $"{found}{refused}", StringComparison.Ordinal);
        Assert.Empty(_s3.Names);
    }

    /// <summary>What this machine would do after a long time: nothing of the store is here.</summary>
    private void Forget()
    {
        foreach (var path in Directory.GetFiles(Folder))
        {
            File.Delete(path);
        }
    }

    private static async Task Until(Func<bool> holds)
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
