using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>Sessions' disks, which need root and loop devices, as the machine that runs the tests has them.</summary>
public sealed class SandboxDiskTests
{
    private const long Mebibyte = 1024 * 1024;

    [Fact]
    public async Task A_workspace_ends_at_its_size_and_the_next_session_does_not_notice()
    {
        await using var lab = new SandboxLab(options => options with { DiskBytes = 32 * Mebibyte });
        var (full, other) = (await lab.Open(), await lab.Open("sesn_2"));

        Assert.EndsWith("No space left on device", (await lab.Bash(full, "head -c 60000000 /dev/zero >f")).Text());

        Assert.Equal("fine", await lab.Text(other, "echo fine >f && cat f"));
        Assert.Equal("again", await lab.Text(full, "rm f; echo again >f && cat f"));
    }

    [Fact]
    public async Task A_disk_keeps_its_files_when_the_sandbox_ends_and_when_the_machine_starts_again()
    {
        await using var lab = new SandboxLab();
        await lab.Text(await lab.Open(), "echo kept >kept; mkdir -m 700 d; echo mine >~/mine");
        await lab.Provider.Stop("sesn_1", SandboxLab.Cancelled);
        Assert.False(LinuxDisks.IsMount(lab.Provider.FolderOf("sesn_1").Disk));

        // Nothing is mounted after a start of the machine, also not the store.
        await lab.Restart();

        Assert.Equal("kept\nmine\nd", await lab.Text(await lab.Open(), "cat kept ~/mine; ls -d d"));
    }

    [Fact]
    public async Task A_disk_that_is_in_use_is_not_mounted_twice()
    {
        await using var lab = new SandboxLab();
        await lab.Open();
        var folder = lab.Provider.FolderOf("sesn_1");
        var image = Path.Combine(lab.Provider.Root, ".disks", "live", "sesn_1.img");
        var (file, _) = LinuxDisks.OpenImage(image);
        using (file)
        {
            Assert.True(LinuxDisks.IsMount(folder.Disk));
            Assert.False(LinuxDisks.TryLock(file));
        }
    }

    [Fact]
    public async Task Folders_that_were_made_without_disks_are_moved_to_one_with_their_owners()
    {
        await using var lab = new SandboxLab(options => options with { DiskBytes = 0 });
        await lab.Text(await lab.Open(), "echo old >old; chmod 640 old; ln -s old link");
        await lab.Provider.Stop("sesn_1", SandboxLab.Cancelled);
        Assert.False(lab.Provider.FolderOf("sesn_1").HasDisk);

        await lab.Restart(options => options with { DiskBytes = 64 * Mebibyte });
        var sandbox = await lab.Open();

        Assert.True(LinuxDisks.IsMount(lab.Provider.FolderOf("sesn_1").Disk));
        Assert.False(Directory.Exists(Path.Combine(lab.Provider.FolderOf("sesn_1").Path, "workspace")));
        Assert.Equal("640 agent old\nold", await lab.Text(sandbox, "stat -c '%a %U %n' old; cat link | sed s/$//"));
    }

    [Fact]
    public async Task With_too_little_room_no_new_session_gets_files_and_those_that_run_go_on()
    {
        await using var lab = new SandboxLab();
        var running = await lab.Open();

        // As much as there is: whatever others on this machine free meanwhile, it is not that much.
        await lab.Restart(options => options with { ReserveBytes = long.MaxValue / 4 });
        running = await lab.Open();
        var refused = await Assert.ThrowsAsync<SandboxException>(() => lab.Open("sesn_2"));

        Assert.Contains("are kept in reserve", refused.Message, StringComparison.Ordinal);
        Assert.Contains("are kept in reserve", lab.Provider.DiskShortage, StringComparison.Ordinal);
        Assert.Equal("goes on", await lab.Text(running, "echo goes on >f && cat f"));
    }

    [Fact]
    public async Task The_store_grows_before_it_is_full()
    {
        await using var lab = new SandboxLab(options => options with
        {
            StoreStepBytes = 512 * Mebibyte, ReserveBytes = 64 * Mebibyte,
        });
        var sandbox = await lab.Open();
        var store = new FileInfo(Path.Combine(lab.Provider.Root, ".disks.xfs"));
        if (!store.Exists)
        {
            // The file system of the data folder clones by itself, and nothing has to grow.
            return;
        }

        await lab.Text(sandbox, "head -c 300000000 /dev/urandom >f; sync f");
        await lab.Open("sesn_2");

        store.Refresh();
        Assert.True(store.Length > 512 * Mebibyte, $"{store.Length}");
        Assert.Equal("300000000", await lab.Text(sandbox, "stat -c %s f"));
    }

    [Fact]
    public async Task Nothing_is_left_of_a_session_that_was_deleted()
    {
        await using var lab = new SandboxLab();
        await lab.Text(await lab.Open(), "echo x >x");
        await lab.Open("sesn_2");

        await lab.Provider.Destroy("sesn_1", SandboxLab.Cancelled);

        Assert.Equal(
            [Path.Combine(lab.Provider.Root, ".disks"), lab.Provider.FolderOf("sesn_2").Disk],
            LinuxDisks.MountsIn(lab.Provider.Root));
        Assert.Empty(Directory.EnumerateFileSystemEntries(
            lab.Provider.Root, "*sesn_1*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Two_programs_share_the_store_of_a_data_folder_and_the_first_that_ends_leaves_it()
    {
        await using var lab = new SandboxLab();
        await lab.Text(await lab.Open(), "echo one >file");
        await using (var other = lab.Another(options => options with { DiskBytes = 48 * Mebibyte }))
        {
            await lab.Text(await other.Open("sesn_2", SandboxLab.Cancelled), "echo two >file");
            await other.Destroy("sesn_2", SandboxLab.Cancelled);
        }

        Assert.Equal("one", await lab.Text(await lab.Open(), "cat file"));
        await lab.Text(await lab.Open("sesn_3"), "echo three >file");
    }

    [Fact]
    public async Task A_disk_that_a_dead_server_left_held_still_is_written_to_again()
    {
        await using var lab = new SandboxLab();
        await lab.Open();
        using (var disk = LinuxCalls.OpenBeneath(lab.Provider.FolderOf("sesn_1").Disk)!)
        {
            LinuxDisks.Freeze(disk);
        }

        await lab.Restart();

        Assert.Equal("written", await lab.Text(await lab.Open(), "echo written >file; sync file; cat file"));
    }

    [Fact]
    public async Task A_uid_that_runs_something_else_is_passed_over()
    {
        await using var first = new SandboxLab(options => options with { FirstUid = 2_070_000 });
        await first.Open();
        await using var second = new SandboxLab(options => options with { FirstUid = 2_070_000, UidCount = 2 });

        await second.Open();

        Assert.Equal(2_070_001, second.UidOf());
        var none = await Assert.ThrowsAsync<SandboxException>(() => second.Open("sesn_2"));
        Assert.Contains("are taken by sessions or by others' processes", none.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_is_shown_for_another_user_is_read_and_written_as_that_one()
    {
        await using var lab = new SandboxLab();
        await lab.Text(await lab.Open(), "echo mine >mine");
        var disk = lab.Provider.FolderOf("sesn_1").Disk;
        var uid = lab.UidOf();

        OwnerMap.Apply(disk, uid, 2_071_000);

        Assert.Equal("2071000\n", Answer("stat", "-c", "%u", Path.Combine(disk, "workspace", "mine")));
        SystemProgram.RunOrThrow("setpriv", "--reuid", "2071000", "--regid", "2071000", "--clear-groups", "--",
            "touch", Path.Combine(disk, "workspace", "new"));
        Assert.Equal("/workspace/new agent", await lab.Text(await lab.Open(), "stat -c '%n %U' /workspace/new"));
    }

    private static string Answer(string program, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        return process.StandardOutput.ReadToEnd();
    }
}
