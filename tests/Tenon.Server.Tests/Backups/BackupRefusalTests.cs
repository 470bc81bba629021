using System.Formats.Tar;
using System.IO.Compression;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Backups;

/// <summary>What is refused, what fails, and that neither leaves anything behind.</summary>
public sealed class BackupRefusalTests : IAsyncLifetime
{
    private readonly BackupLab _lab = new();
    private readonly TempFolder _source = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>A data folder that was served once and has a file.</summary>
    private string Source => _source.Path;

    public async ValueTask InitializeAsync()
    {
        await using var server = await TestServer.StartOn(Source);
        await server.NewFile("kept");
        await server.NewSession();
    }

    public ValueTask DisposeAsync()
    {
        _lab.Dispose();
        _source.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public void A_backup_replaces_no_file_and_does_not_stand_in_the_folder_that_it_saves()
    {
        File.WriteAllText(_lab.File_, "mine");

        Refused(_lab.Backup(Source), $"--to {_lab.File_} is there already");
        Refused(_lab.Backup(Source, Path.Combine(Source, "b.tar.gz")), "is inside the data folder");
        Refused(_lab.Backup(Source, Path.Combine(_lab.Folder, "none", "b")), "the folder for it is not there");
        Refused(_lab.Backup(Path.Combine(_lab.Folder, "none"), "/b.tar.gz"), "there is no such folder");
        Refused(_lab.Backup(_lab.Folder, "/b.tar.gz"), "there is no tenon.db in this folder");

        Assert.Equal("mine", File.ReadAllText(_lab.File_));
        Assert.Equal(["tenon.tar.gz"], _lab.Left());
    }

    [Fact]
    public void A_damaged_database_and_a_lost_upload_are_named_and_leave_nothing_behind()
    {
        var blob = Directory.EnumerateFiles(Path.Combine(Source, "files")).Single();
        File.Move(blob, blob + ".away");
        Failed(_lab.Backup(Source), $"The bytes of the file {Path.GetFileName(blob)} are not in");
        File.Move(blob + ".away", blob);

        DamagedDatabase.Damage(Path.Combine(Source, DataFolder.DatabaseName));
        Failed(_lab.Backup(Source), DataFolder.DatabaseName);

        Assert.Empty(_lab.Left());
    }

    [Fact]
    public void A_disk_without_room_ends_a_backup_and_a_restore_and_leaves_nothing_behind()
    {
        using var small = new SmallDisk(_lab.Folder, kilobytes: 64);
        Failed(_lab.Backup(Source, Path.Combine(small.Path, "b.tar.gz")), "nothing was left behind");
        Assert.Empty(Directory.EnumerateFileSystemEntries(small.Path));

        Assert.Equal(0, _lab.Backup(Source).Code);
        Failed(_lab.Restore(data: small.Path), "The restore failed, and nothing was left");
        Assert.Empty(Directory.EnumerateFileSystemEntries(small.Path));
    }

    [Fact]
    public async Task A_restore_writes_into_no_folder_that_is_used()
    {
        Assert.Equal(0, _lab.Backup(Source).Code);
        await using var server = await TestServer.StartOn(Path.Combine(_lab.Folder, "served"));
        Directory.CreateDirectory(_lab.Data);
        await File.WriteAllTextAsync(Path.Combine(_lab.Data, "note"), "mine", Cancelled);

        Refused(_lab.Restore(data: server.DataDirectory), "is in use by another Tenon");
        Refused(_lab.Restore(), $"{_lab.Data} is not empty (note is in it)");

        Assert.Equal(["note"], Directory.EnumerateFileSystemEntries(_lab.Data).Select(path => Path.GetFileName(path)));
    }

    [Fact]
    public void A_restore_that_was_killed_leaves_a_folder_that_no_server_takes()
    {
        using (var folder = DataFolder.Open(_lab.Data))
        {
            folder.BeginRestore();
        }

        var refusal = Assert.Throws<IOException>(() => DataFolder.Open(_lab.Data));
        Assert.Equal(
            $"The data folder {_lab.Data} was left by a restore that did not end: empty it and restore again.",
            refusal.Message);
    }

    [Fact]
    public void A_file_that_was_cut_or_changed_anywhere_restores_nothing()
    {
        Assert.Equal(0, _lab.Backup(Source).Code);
        var whole = File.ReadAllBytes(_lab.File_);
        for (var at = 0; at < whole.Length; at += 1 + (whole.Length / 40))
        {
            File.WriteAllBytes(_lab.File_, whole[..at]);
            Refused(_lab.Restore(), _lab.File_);
            var changed = whole.ToArray();
            changed[at] ^= 0x55;
            File.WriteAllBytes(_lab.File_, changed);
            if (_lab.Restore() is (0, _))
            {
                // The compression can say the same in other words: what comes out must be what went in.
                Assert.True(Unpacked(whole).SequenceEqual(Unpacked(changed)), $"the byte at {at} was changed");
                Directory.Delete(_lab.Data, recursive: true);
            }
        }

        Assert.Equal(["tenon.tar.gz"], _lab.Left());
    }

    private static byte[] Unpacked(byte[] backup)
    {
        using var unpacked = new MemoryStream();
        using var zip = new GZipStream(new MemoryStream(backup), CompressionMode.Decompress);
        zip.CopyTo(unpacked);
        return unpacked.ToArray();
    }

    [Theory]
    [InlineData("../out", TarEntryType.RegularFile, "")]
    [InlineData("/tmp/tenon-out", TarEntryType.RegularFile, "")]
    [InlineData("files/../../out", TarEntryType.RegularFile, "")]
    [InlineData("files/link", TarEntryType.SymbolicLink, "/tmp")]
    [InlineData("tenon.lock", TarEntryType.RegularFile, "")]
    [InlineData("sandboxes/../out", TarEntryType.Directory, "")]
    [InlineData("sandboxes/s", TarEntryType.SymbolicLink, "/tmp")]
    [InlineData("sandboxes/s/workspace/a", TarEntryType.RegularFile, "")]
    [InlineData("sandboxes/s/workspace", TarEntryType.SymbolicLink, "/tmp")]
    public void An_entry_that_leads_out_of_the_folder_ends_the_restore(string name, TarEntryType type, string link)
    {
        Assert.Equal(0, _lab.Backup(Source).Code);
        _lab.Rewrite(entries => entries.Take(1).Append(Entry(name, type, link)).Concat(entries.Skip(1)));

        Refused(_lab.Restore(), "is not a whole backup of Tenon");

        Assert.Equal(["tenon.tar.gz"], _lab.Left());
    }

    [Fact]
    public void Nothing_is_written_through_a_link_and_no_file_of_the_host_is_linked()
    {
        Assert.Equal(0, _lab.Backup(Source).Code);
        var original = File.ReadAllBytes(_lab.File_);
        TarEntry[] folder =
        [
            Entry("sandboxes/s", TarEntryType.Directory), Entry("sandboxes/s/workspace", TarEntryType.Directory),
        ];
        foreach (var (bad, why) in ((TarEntry[], string)[])[
            ([Entry("sandboxes/s/workspace/l", TarEntryType.SymbolicLink, _lab.Folder),
                Entry("sandboxes/s/workspace/l/out", TarEntryType.RegularFile)], "is in no directory of the backup"),
            ([Entry("sandboxes/s/workspace/h", TarEntryType.HardLink, "/etc/passwd")], "links to '/etc/passwd'"),
            ([Entry("sandboxes/s/workspace/h", TarEntryType.HardLink, "tenon.db")], "links to 'tenon.db'"),
            ([Entry("sandboxes/s/workspace/x", TarEntryType.RegularFile),
                Entry("sandboxes/s/workspace/x", TarEntryType.RegularFile)], "comes twice"),
        ])
        {
            File.WriteAllBytes(_lab.File_, original);
            _lab.Rewrite(entries => entries.Take(1).Concat(folder).Concat(bad).Concat(entries.Skip(1)));
            Refused(_lab.Restore(), why);
        }

        Assert.Equal(["tenon.tar.gz"], _lab.Left());
    }

    private static PaxTarEntry Entry(string name, TarEntryType type, string link = "")
    {
        var entry = new PaxTarEntry(type, name);
        if (link.Length > 0)
        {
            entry.LinkName = link;
        }

        return entry;
    }

    private static void Refused((int Code, string Said) run, string why)
    {
        Assert.Contains(why, run.Said, StringComparison.Ordinal);
        Assert.Equal(2, run.Code);
    }

    private static void Failed((int Code, string Said) run, string why)
    {
        Assert.Contains(why, run.Said, StringComparison.Ordinal);
        Assert.Equal(1, run.Code);
    }
}
