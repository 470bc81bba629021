using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>A session's files in its sandbox: there, read-only, and as they are now (api F.1).</summary>
public sealed class MountTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private SandboxProvider Sandboxes => server.Services.GetRequiredService<SandboxProvider>();

    [Fact]
    public async Task A_file_is_read_where_it_was_mounted_and_through_the_short_path()
    {
        var session = await Session(Mounting(await server.NewFile("a,b\n1,2\n"), "data.csv"));

        Assert.Equal("a,b\n1,2\n", await session.Reads("/uploads/data.csv"));
        Assert.Equal("a,b\n1,2\n", await session.Reads("/mnt/session/uploads/data.csv"));
    }

    [Fact]
    public async Task Files_in_directories_are_there_too()
    {
        var session = await Session(
            Mounting(await server.NewFile("one"), "/src/deep/main.py"), Mounting(await server.NewFile("two"), "src/b"));

        Assert.Equal("one", await session.Shell("cat /uploads/src/deep/main.py"));
        Assert.Equal("two", await session.Shell("cat /mnt/session/uploads/src/b"));
    }

    [Fact]
    public async Task The_agent_can_neither_change_nor_remove_a_file_nor_add_one()
    {
        var file = await server.NewFile("original");
        var session = await Session(Mounting(file, "dir/f"));

        var said = await session.Shell("""
            cd /mnt/session/uploads
            echo x > dir/f; echo x >> dir/f; rm -f dir/f; mv dir/f dir/g; touch new dir/new; chmod 777 dir/f dir .;
            ln dir/f /workspace/link; cp dir/f /workspace/copy && chmod u+w /workspace/copy && echo y > /workspace/copy
            cat dir/f
            """);

        Assert.EndsWith("original", said, StringComparison.Ordinal);
        Assert.Equal(8, said.Split("Read-only file system").Length - 1);
        Assert.Contains("Invalid cross-device link", said, StringComparison.Ordinal);
        Assert.Equal("original", await File.ReadAllTextAsync(
            Path.Combine(server.DataDirectory, "files", file), Cancelled));
    }

    [Fact]
    public async Task A_file_that_is_added_or_removed_shows_at_once_in_a_living_sandbox()
    {
        var session = await Session();
        Assert.Equal("(no output)", await session.Shell("ls -A /uploads"));
        var added = (await server.Post(
            $"{session.Path}/resources", Mounting(await server.NewFile("late"), "d/late.txt"))).Ok();

        Assert.Equal("late", await session.Shell("cat /uploads/d/late.txt"));
        (await server.Delete($"{session.Path}/resources/{added.Text("id")}")).Ok();

        Assert.Equal("(no output)", await session.Shell("ls -A /uploads"));
    }

    [Fact]
    public async Task A_path_that_another_file_took_over_shows_that_file()
    {
        var session = await Session(Mounting(await server.NewFile("first"), "f"));
        Assert.Equal("first", await session.Shell("cat /uploads/f"));

        (await server.Delete($"{session.Path}/resources/{session.Created.Text("resources.0.id")}")).Ok();
        (await server.Post($"{session.Path}/resources", Mounting(await server.NewFile("other"), "f"))).Ok();

        Assert.Equal("other", await session.Shell("cat /uploads/f"));
    }

    [Fact]
    public async Task A_sandbox_that_is_built_anew_has_the_files_again_and_those_that_came_meanwhile()
    {
        var session = await Session(Mounting(await server.NewFile("early"), "a"));
        Assert.Equal("early", await session.Shell("cat /uploads/a"));
        await Sandboxes.Stop(session.Id, Cancelled);
        (await server.Post($"{session.Path}/resources", Mounting(await server.NewFile("late"), "b"))).Ok();

        Assert.Equal("earlylate", await session.Shell("cat /uploads/a /uploads/b"));
    }

    [Fact]
    public async Task A_file_stays_when_the_upload_it_came_from_is_deleted()
    {
        var file = await server.NewFile("kept");
        var session = await Session(Mounting(file, "f"));
        (await server.Delete($"/v1/files/{file}")).Ok();

        Assert.Equal("kept", await session.Shell("cat /uploads/f"));
    }

    [Fact]
    public async Task A_lock_that_an_agent_takes_on_its_copy_keeps_nobody_from_the_bytes()
    {
        byte[] png = [0x89, .. "PNG"u8, 1, 2];
        var file = await server.NewFile(png, "a.png", "image/png");
        var locking = await Session(Mounting(file, "f"));
        await locking.Shell("flock --exclusive /uploads/f sleep 600 & until ! flock -n -s /uploads/f true; do :; done");
        var other = await Session(Mounting(file, "f"));
        other.Model.Says("seen");

        await other.Run($$$"""
            {"type":"user.message","content":[{"type":"image","source":{"type":"file","file_id":"{{{file}}}"}}]}
            """);

        var image = Assert.IsType<ImageBlock>(Assert.IsType<ModelMedia>(
            other.Model.Requests.Single().Messages.Single().Content.Single()).Block);
        Assert.Equal(Convert.ToBase64String(png), image.Source.Data);
        await Sandboxes.Stop(locking.Id, Cancelled);
    }

    [Fact]
    public async Task A_file_is_linked_and_its_bytes_are_not_copied()
    {
        var source = "";
        await using var lab = new SandboxLab(
            uploadsOf: (_, _) => Task.FromResult<IReadOnlyList<SandboxUpload>>([new("f", source)]));
        source = Path.Combine(lab.DataDirectory, "blob");
        await File.WriteAllTextAsync(source, "linked", Cancelled);

        Assert.Equal("linked2", await lab.Text(await lab.Open(), "cat /uploads/f; stat -c %h /uploads/f"));
    }

    [Fact]
    public async Task Where_a_file_cannot_be_linked_it_is_copied_and_as_safe()
    {
        var source = $"/dev/shm/tenon-{Guid.NewGuid():N}";
        await File.WriteAllTextAsync(source, "from another file system", Cancelled);
        try
        {
            await using var lab = new SandboxLab(
                uploadsOf: (_, _) => Task.FromResult<IReadOnlyList<SandboxUpload>>([new("a/b", source)]));
            var sandbox = await lab.Open();

            Assert.Equal("from another file system", await lab.Text(sandbox, "cat /uploads/a/b"));
            Assert.True((await lab.Bash(sandbox, "echo x > /uploads/a/b")).IsError);
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
                File.GetUnixFileMode(Path.Combine(lab.Provider.FolderOf("sesn_1").Uploads, "a/b")));
        }
        finally
        {
            File.Delete(source);
        }
    }

    [Fact]
    public async Task A_session_with_files_answers_without_a_sandbox()
    {
        var session = await server.NewSession(
            "[]", ResourceTests.Resources(Mounting(await server.NewFile(), "data.csv")));
        session.Model.Says("hello");

        await session.Run(TestSession.Says("hi"));

        Assert.False(Directory.Exists(Sandboxes.FolderOf(session.Id).Path));
    }

    private Task<TestSession> Session(params string[] resources) =>
        server.NewSession(Tools, ResourceTests.Resources(resources));

    private static string Mounting(string fileId, string path) => ResourceTests.Mounting(fileId, path);
}
