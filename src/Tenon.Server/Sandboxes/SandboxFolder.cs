using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// A session's files on this machine. The directories belong to the sandbox, the uploads and the record to the server.
/// </summary>
public sealed record SandboxFolder(string Path)
{
    private const int LogCharsMax = 2000;

    /// <summary>The folders whose content is the agent's.</summary>
    internal static IReadOnlyList<string> AgentFolders { get; } = ["workspace", "outputs", "home"];

    /// <summary>The session's id.</summary>
    internal string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Where the session's disk is mounted, if it has one.</summary>
    internal string Disk => System.IO.Path.Combine(Path, "disk");

    /// <summary>Whether its files are on a disk of its own, mounted or not.</summary>
    internal bool HasDisk => Directory.Exists(Disk);

    private string Files => HasDisk ? Disk : Path;

    /// <summary><c>/workspace</c> inside.</summary>
    public string Workspace => System.IO.Path.Combine(Files, "workspace");

    /// <summary><c>/mnt/session/uploads</c> inside, where it is read-only.</summary>
    public string Uploads => System.IO.Path.Combine(Path, "uploads");

    /// <summary><c>/mnt/session/outputs</c> inside.</summary>
    public string Outputs => System.IO.Path.Combine(Files, "outputs");

    /// <summary><c>/run/tenon/egress</c> inside: where the proxy's socket stands, which is the only way out.</summary>
    public string Egress => System.IO.Path.Combine(Path, "egress");

    /// <summary>Holds the folders below <c>/mnt/memory</c> inside, and what the server knows of each.</summary>
    internal string Memory => System.IO.Path.Combine(Files, "memory");

    /// <summary><c>$HOME</c> inside.</summary>
    public string Home => System.IO.Path.Combine(Files, "home");

    /// <summary>What the driver and the hand said at the last start.</summary>
    internal string LogPath => System.IO.Path.Combine(Path, "start.log");

    private string RecordPath => System.IO.Path.Combine(Path, "sandbox.json");

    /// <summary>The beginning of <see cref="LogPath"/>, for a message.</summary>
    internal string ReadLog()
    {
        try
        {
            using var reader = new StreamReader(LogPath);
            var buffer = new char[LogCharsMax];
            var text = new string(buffer, 0, reader.ReadBlock(buffer)).Trim();
            return text.Length == 0 ? "it ended without a word." : text.TrimEnd('.') + ".";
        }
        catch (IOException)
        {
            // No log is no reason to hide the failure itself.
            return "it left no log.";
        }
    }

    internal SandboxRecord? ReadRecord()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(RecordPath), SandboxRecordJson.Default.SandboxRecord);
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            // None, or half of one from a power cut: then no sandbox of it can be living either.
            return null;
        }
    }

    internal void WriteRecord(SandboxRecord record)
    {
        var temporary = RecordPath + ".new";
        File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(
            record, SandboxRecordJson.Default.SandboxRecord));
        File.Move(temporary, RecordPath, overwrite: true);
    }
}

/// <summary>What a later server must know to find a living sandbox again, or to own its files.</summary>
/// <param name="Uid">The uid its files belong to; null when the server is not root.</param>
/// <param name="Instance">The life it names; null before the first start.</param>
/// <param name="Pid">The pid of its init; 0 while it starts.</param>
/// <param name="StartedTicks">The start of that process, against a reused pid.</param>
/// <param name="Socket">The path of the socket its hand listens on.</param>
internal sealed record SandboxRecord(int? Uid, string? Instance, int Pid, long StartedTicks, string? Socket)
{
    /// <summary>
    /// Who owns the files on its disk, when that is another uid than the one they are shown with; null when not.
    /// </summary>
    public int? DiskUid { get; init; }

    /// <summary>Its start is under way, or was cut short by a crash: who its processes are was not yet known.</summary>
    [JsonIgnore]
    public bool IsStarting => Instance is not null && Pid == 0;

    /// <summary>What the model is told of this life; null when it began with an empty workspace.</summary>
    public string? Notice { get; init; }

    /// <summary>The <see cref="ISandboxDriver.Name"/> of the driver that started it.</summary>
    public string Driver { get; init; } = BubblewrapDriver.Kind;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SandboxRecord))]
internal sealed partial class SandboxRecordJson : JsonSerializerContext;
