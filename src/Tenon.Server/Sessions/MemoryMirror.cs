using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>
/// What the files of one store in one session were when they last were the same as the store: by it, what the agent did
/// is told from what others did. It is kept beside the files.
/// </summary>
internal sealed record MemoryMirror
{
    /// <summary>Sentences that wait for the agent's next call; more are counted only.</summary>
    private const int NotesMax = 20;

    /// <summary>Names the machine's present run. After a power cut files may be older than this, and are not trusted.
    /// </summary>
    private static readonly string Boot = ReadBoot();

    /// <summary>The session that it is of: a fork's disk has that of another one.</summary>
    public required string SessionId { get; init; }

    public required string BootId { get; init; }

    /// <summary>The store's revision that the files have; null when they have less than one.</summary>
    public long? Revision { get; set; }

    /// <summary>By the paths of memories.</summary>
    public Dictionary<string, MirroredFile> Files { get; init; } = new(StringComparer.Ordinal);

    /// <summary>What the agent was told of a path, as long as that is so.</summary>
    public Dictionary<string, ToldOnce> Told { get; init; } = new(StringComparer.Ordinal);

    public List<string> Notes { get; init; } = [];

    public int NotesLeftOut { get; set; }

    public static MemoryMirror Empty(string sessionId) => new() { SessionId = sessionId, BootId = Boot };

    /// <summary>Null when there is none that can be trusted.</summary>
    public static MemoryMirror? Read(MemoryFolder folder, string storeId, string sessionId)
    {
        try
        {
            return folder.ReadState(storeId) is { } state
                && JsonSerializer.Deserialize(state, MemoryMirrorJson.Default.MemoryMirror) is { } mirror
                && mirror.SessionId == sessionId && mirror.BootId == Boot ? mirror : null;
        }
        catch (JsonException)
        {
            // Half of one, from a power cut.
            return null;
        }
    }

    public void Write(MemoryFolder folder, string storeId) => folder.WriteState(
        storeId, JsonSerializer.SerializeToUtf8Bytes(this, MemoryMirrorJson.Default.MemoryMirror));

    /// <summary>Whether a file was refused as it is, and the store has not changed since where that may help.</summary>
    public bool IsRefused(string path, string stamp) => Told.GetValueOrDefault(path) is { } told
        && told.Stamp == stamp && (told.IsFinal || told.Revision == Revision);

    /// <summary>Tells the agent something about a path, once for as long as it is so.</summary>
    /// <param name="stamp">Of the file there; empty when it is about none.</param>
    /// <param name="isFinal">Nothing that happens to the store can help.</param>
    public void Tell(string path, string stamp, string note, bool isFinal)
    {
        var known = Told.GetValueOrDefault(path);
        Told[path] = new ToldOnce(stamp, note, Revision, isFinal);
        if (known?.Note == note && known.Stamp == stamp)
        {
            return;
        }

        if (Notes.Count < NotesMax)
        {
            Notes.Add(note);
        }
        else
        {
            NotesLeftOut++;
        }
    }

    /// <summary>What waits to be told; it does so no longer.</summary>
    public IReadOnlyList<string> TakeNotes()
    {
        IReadOnlyList<string> notes = NotesLeftOut == 0 ? [.. Notes] : [.. Notes, $"and {NotesLeftOut} more."];
        Notes.Clear();
        NotesLeftOut = 0;
        return notes;
    }

    private static string ReadBoot()
    {
        try
        {
            return File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        }
        catch (IOException)
        {
            // A system that hides it: then every run of the server counts as a new one.
            return Guid.NewGuid().ToString("N");
        }
    }
}

/// <param name="Sha256">What the store had there, and the file; empty when it is only about to come.</param>
/// <param name="Stamp">Of the file when it was so.</param>
/// <param name="Next">
/// What the store has by now, while the file is being changed to that, and empty for nothing: a crash may have come
/// before or after.
/// </param>
internal sealed record MirroredFile(string Sha256, string Stamp, string? Next = null);

/// <param name="Stamp">Of the file that it was about; empty when it was about none.</param>
/// <param name="Revision">The store's, when it was told.</param>
internal sealed record ToldOnce(string Stamp, string Note, long? Revision, bool IsFinal);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(MemoryMirror))]
internal sealed partial class MemoryMirrorJson : JsonSerializerContext;
