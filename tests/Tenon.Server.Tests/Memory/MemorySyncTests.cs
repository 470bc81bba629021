using Microsoft.Extensions.Time.Testing;
using System.Text;
using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;
using Tenon.Server.Sessions;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Tenon.Wire.Memory;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>
/// A store and its files in a session, step by step: who writes when, and what a crash between two steps leaves. The
/// test is the agent: it writes the files as a sandbox does.
/// </summary>
public sealed class MemorySyncTests : IDisposable
{
    private const string Session = "sesn_1";

    private static readonly ApiActor Client = new("apikey_1");

    private readonly TempFolder _temp = new();
    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());
    private readonly SqliteDatabase _database;
    private readonly MemoryStore _store;
    private readonly MemoryBudget _budget;
    private readonly MemoryFolder _folder;
    private readonly SandboxMemory _memory = new("memstore_1", "/mnt/memory/notes", true);
    private readonly string _files;

    public MemorySyncTests()
    {
        _database = new SqliteDatabase(Path.Combine(_temp.Path, "tenon.db"));
        _database.Migrate();
        _store = new MemoryStore(_database, new IdSource(_clock), _clock);
        _budget = new MemoryBudget(_clock);
        var sandbox = new SandboxFolder(Path.Combine(_temp.Path, Session));
        Directory.CreateDirectory(sandbox.Path);
        sandbox.WriteRecord(new SandboxRecord(null, null, 0, 0, null));
        _folder = MemoryFolder.Make(sandbox);
        _folder.Reset(_memory.StoreId);
        MemoryMirror.Empty(Session).Write(_folder, _memory.StoreId);
        _files = MemoryFolder.DirectoryOf(sandbox, _memory.StoreId);
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _folder.Dispose();
        _database.Close();
        _temp.Dispose();
    }

    [Fact]
    public async Task Of_two_writers_the_later_counts_and_the_earlier_is_a_version()
    {
        var memory = await Begin("/a", "first");
        Write("a", "of the agent");
        await Rewrite(memory, "of the client");

        await Sync();

        Assert.Equal(("of the agent", "of the agent"), (await Stored("/a"), Read("a")));
        Assert.Equal(["of the agent", "of the client", "first"], await Versions());
    }

    [Fact]
    public async Task A_removal_of_what_somebody_changed_meanwhile_is_not_made()
    {
        var memory = await Begin("/a", "first");
        File.Delete(In("a"));
        await Rewrite(memory, "changed");

        await Sync();

        Assert.Equal(("changed", "changed"), (await Stored("/a"), Read("a")));
    }

    [Fact]
    public async Task What_was_removed_by_others_is_made_again_by_an_agent_that_wrote_it()
    {
        var memory = await Begin("/a", "first");
        Write("a", "of the agent");
        await _store.Delete(new MemoryPlace(_memory.StoreId, memory), Client, Cancelled);

        await Sync();

        Assert.Equal(("of the agent", "of the agent"), (await Stored("/a"), Read("a")));
        Assert.NotEqual(memory, (await Heads()).Single().Id);
    }

    [Fact]
    public async Task A_change_of_the_same_size_in_the_same_moment_is_seen()
    {
        await Begin("/a", "0000");
        for (var i = 1; i < 20; i++)
        {
            using (var file = File.OpenHandle(In("a"), FileMode.Open, FileAccess.Write))
            {
                RandomAccess.Write(file, Encoding.UTF8.GetBytes($"{i:0000}"), 0);
            }

            await Sync();
            Assert.Equal($"{i:0000}", await Stored("/a"));
        }
    }

    [Fact]
    public async Task A_write_that_a_crash_kept_from_being_noted_does_not_come_back_over_what_others_made_of_it()
    {
        var memory = await Begin("/a", "first");
        Write("a", "of the agent");
        Write("b", "new");
        var before = _folder.ReadState(_memory.StoreId)!;
        await Sync();
        _folder.WriteState(_memory.StoreId, before);
        await Rewrite(memory, "gone on");
        await _store.Delete(
            new MemoryPlace(_memory.StoreId, (await Heads()).Single(row => row.Path == "/b").Id), Client, Cancelled);

        await Sync();

        Assert.Equal(("gone on", "gone on"), (await Stored("/a"), Read("a")));
        Assert.Equal(["gone on", "of the agent", "first"], (await Versions("/a")));
    }

    [Fact]
    public async Task What_a_crash_left_half_given_is_not_taken_for_the_agents()
    {
        var memory = await Begin("/a", "first");
        var gone = await Add("/gone", "gone");
        await Sync();
        await Rewrite(memory, "second");
        await _store.Delete(new MemoryPlace(_memory.StoreId, gone), Client, Cancelled);
        await Add("/new", "new");

        // As it is written before the first file is.
        var mirror = MemoryMirror.Read(_folder, _memory.StoreId, Session)!;
        await Sync();
        mirror.Files["/a"] = mirror.Files["/a"] with { Next = Memories.Sha256("second") };
        mirror.Files["/gone"] = mirror.Files["/gone"] with { Next = "" };
        mirror.Files["/new"] = new MirroredFile("", "", Memories.Sha256("new"));
        mirror.Write(_folder, _memory.StoreId);
        await Rewrite(memory, "third");
        await Add("/gone", "again");

        await Sync();

        Assert.Equal(("third", "again", "new"), (Read("a"), Read("gone"), Read("new")));
        Assert.Equal(("third", "again", "new"), (await Stored("/a"), await Stored("/gone"), await Stored("/new")));
        Assert.All(await Wire(), version => Assert.IsType<ApiActor>(version.CreatedBy));
    }

    [Fact]
    public async Task A_removal_and_a_move_that_a_crash_kept_from_being_noted_are_made_once()
    {
        await Begin("/a", "a");
        await Add("/b", "b");
        await Sync();
        File.Delete(In("a"));
        File.Move(In("b"), In("c"));
        var before = _folder.ReadState(_memory.StoreId)!;
        await Sync();
        var versions = (await Wire()).Count;
        _folder.WriteState(_memory.StoreId, before);

        await Sync();

        Assert.Equal(["/c"], (await Heads()).Select(row => row.Path));
        Assert.Equal(versions, (await Wire()).Count);
        Assert.Equal(["c"], Directory.GetFiles(_files).Select(path => Path.GetFileName(path)));
    }

    [Fact]
    public async Task A_file_in_the_place_of_a_folder_and_a_folder_in_that_of_a_file_keep_a_memory_waiting()
    {
        await Begin("/x", "x");
        Write("a", "of the agent");
        Directory.CreateDirectory(In("b"));
        Write("b/c", "of the agent");
        await Add("/a/b", "of the client");
        await Add("/b", "of the client");

        await Sync();
        var notes = MemoryMirror.Read(_folder, _memory.StoreId, Session)!.TakeNotes();
        Assert.Equal(("of the agent", "of the agent"), (Read("a"), Read("b/c")));
        Assert.Equal(["/a/b", "/b", "/x"], (await Heads()).Select(row => row.Path));
        Assert.Contains("/mnt/memory/notes/a is not saved: the memory /a/b has this path, or a part of it.", notes);
        Assert.Contains(notes, note =>
            note.StartsWith("The memory /mnt/memory/notes/b cannot be shown", StringComparison.Ordinal));
        File.Delete(In("a"));
        Directory.Delete(In("b"), recursive: true);
        await Sync();

        Assert.Equal(("of the client", "of the client"), (Read("a/b"), Read("b")));
    }

    [Fact]
    public async Task A_link_in_the_place_of_a_folder_leads_nowhere()
    {
        var outside = Directory.CreateDirectory(Path.Combine(_temp.Path, "outside")).FullName;
        await File.WriteAllTextAsync(Path.Combine(outside, "f"), "outside", Cancelled);
        var memory = await Begin("/d/f", "inside");
        Directory.Delete(In("d"), recursive: true);
        Directory.CreateSymbolicLink(In("d"), outside);
        await Rewrite(memory, "changed");
        await Add("/d/g", "new");

        await Sync();

        Assert.Equal("changed", await Stored("/d/f"));
        Assert.Equal("outside", await File.ReadAllTextAsync(Path.Combine(outside, "f"), Cancelled));
        Assert.Equal(["f"], Directory.GetFiles(outside).Select(path => Path.GetFileName(path)));
    }

    [Fact]
    public async Task What_changed_between_the_look_and_the_change_is_left_as_it_is()
    {
        await Begin("/a", "first");
        await Add("/b", "first");
        await Sync();
        using var tree = _folder.Tree(_memory.StoreId)!;
        var look = tree.Look();
        Write("a", "second");
        Write("b", "second");
        Write("c", "of the agent");

        Assert.IsType<PutOutcome.Changed>(tree.Put("/a", "x"u8.ToArray(), MemoryStamp.Of(look.Files["/a"])));
        Assert.False(tree.Remove("/b", MemoryStamp.Of(look.Files["/b"])));
        Assert.IsType<PutOutcome.Changed>(tree.Put("/c", "x"u8.ToArray(), null));

        Assert.Equal(("second", "second", "of the agent"), (Read("a"), Read("b"), Read("c")));
    }

    [Fact]
    public async Task A_memory_whose_name_no_file_can_have_is_in_the_store_alone()
    {
        await Begin("/" + new string('n', 256), "long");
        await Add("/short", "short");

        await Sync();

        Assert.Equal(["short"], Directory.GetFiles(_files).Select(path => Path.GetFileName(path)));
        Assert.NotNull(MemoryMirror.Read(_folder, _memory.StoreId, Session)!.Revision);
    }

    [Fact]
    public async Task What_another_session_noted_or_half_of_a_note_is_not_trusted()
    {
        await Begin("/a", "a");

        Assert.NotNull(MemoryMirror.Read(_folder, _memory.StoreId, Session));
        Assert.Null(MemoryMirror.Read(_folder, _memory.StoreId, "sesn_2"));
        _folder.WriteState(_memory.StoreId, _folder.ReadState(_memory.StoreId)!.AsSpan(0, 20));
        Assert.Null(MemoryMirror.Read(_folder, _memory.StoreId, Session));
    }

    [Fact]
    public async Task A_session_that_writes_without_end_is_bounded_and_goes_on_an_hour_later()
    {
        await Begin("/a", "a");
        while (_budget.TryTake(MemoryLimits.ContentBytesMax))
        {
            // What an hour of writing takes.
        }

        var large = new string('x', MemoryLimits.ContentBytesMax);
        Write("large", large);
        await Sync();
        Assert.Equal(["/a"], (await Heads()).Select(row => row.Path));
        Assert.StartsWith("/mnt/memory/notes/large is not saved: too much was written",
            MemoryMirror.Read(_folder, _memory.StoreId, Session)!.TakeNotes().Single(), StringComparison.Ordinal);
        _clock.Advance(TimeSpan.FromHours(1));
        await Sync();

        Assert.Equal(large, await Stored("/large"));
    }

    private async Task<string> Begin(string path, string content)
    {
        var now = _clock.GetUtcNow();
        await _store.Insert(
            new MemoryStoreRecord { Id = _memory.StoreId, Name = "notes", CreatedAt = now, UpdatedAt = now },
            Cancelled);
        var memory = await Add(path, content);
        await Sync();
        return memory;
    }

    private async Task<string> Add(string path, string content) => (await _store.Create(
        _memory.StoreId, path, Encoding.UTF8.GetBytes(content), Client, Cancelled)).Memory!.Row.Id;

    private async Task Rewrite(string memory, string content) => Assert.Null((await _store.Update(
        new MemoryPlace(_memory.StoreId, memory), null, Encoding.UTF8.GetBytes(content), Client, Cancelled)).Refusal);

    private async Task Sync() => await new MemorySync(
        _store, _folder, _memory, MemoryMirror.Read(_folder, _memory.StoreId, Session)!, _budget).Run(Cancelled);

    private async Task<IReadOnlyList<MemoryRow>> Heads() => (await _store.Heads(_memory.StoreId, Cancelled))!.Rows;

    private async Task<string?> Stored(string path)
    {
        var row = (await Heads()).SingleOrDefault(row => row.Path == path);
        return row is null ? null : Encoding.UTF8.GetString(
            (await _store.Find(_memory.StoreId, row.Id, withContent: true, Cancelled))!.Content!);
    }

    private async Task<IReadOnlyList<MemoryVersion>> Wire() => (await _store.Versions(
        new MemoryVersionQuery { StoreId = _memory.StoreId, Limit = 100, WithContent = true }, Cancelled))!;

    private async Task<IEnumerable<string?>> Versions(string? path = null) => (await Wire())
        .Where(version => path is null || version.Path == path).Select(version => version.Content);

    private string In(string name) => Path.Combine(_files, name);

    private void Write(string name, string content) => File.WriteAllText(In(name), content);

    private string Read(string name) => File.ReadAllText(In(name));
}
