using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Wire.Hand;

/// <summary>What the server and a hand agree on. A hand of another version is not talked to.</summary>
public static class HandProtocol
{
    /// <summary>Raised when a frame changes its meaning.</summary>
    public const int Version = 3;

    /// <summary>The descriptor on which a hand finds its listening socket.</summary>
    public const int ListenDescriptor = 3;

    /// <summary>
    /// The socket that a hand makes when it is started with this path, because its sandbox takes none from outside.
    /// </summary>
    public const string MeetingSocket = "/run/tenon/meeting/hand";

    /// <summary>What follows a socket's path until it listens.</summary>
    public const string NewSocketSuffix = "~";

    /// <summary>The socket of the server's egress proxy, as a hand finds it.</summary>
    public const string EgressSocket = "/run/tenon/egress/proxy.sock";

    /// <summary>The port on the sandbox's loopback that leads there; the usual one of a proxy.</summary>
    public const int EgressPort = 3128;

    /// <summary>What stands for a secret in a sandbox begins so.</summary>
    public const string PlaceholderPrefix = "tenon_placeholder_";

    /// <summary>
    /// Bounds what either side holds in memory for one frame: a large <c>write</c> fits, a runaway does not.
    /// </summary>
    public const int FrameBytesMax = 32 * 1024 * 1024;

    /// <summary>
    /// Processes and threads that a hand has beyond those of commands: one that cannot make a thread dies, and with it
    /// all that it watches over. A pool of threads, a few connections and programs, a shell and a search fit.
    /// </summary>
    public const int ProcessesReserved = 96;

    /// <summary>Programs started by <see cref="HandVerbs.Start"/> that a hand runs at once.</summary>
    public const int ProgramsMax = 16;

    /// <summary>Bytes of one piece of a program's output.</summary>
    public const int PieceBytesMax = 64 * 1024;

    /// <summary>What a call that was cancelled answers.</summary>
    public const string Interrupted = "Tool execution was interrupted before completion. Please retry.";
}

/// <summary>The words of <see cref="HandRequest.Verb"/>.</summary>
public static class HandVerbs
{
    /// <summary>Asks who answers: <see cref="HandReply.Instance"/> and <see cref="HandReply.Protocol"/>.</summary>
    public const string Hello = "hello";

    /// <summary>Runs a tool once, or waits for the run of the same tool-use id, and answers its result.</summary>
    public const string Call = "call";

    /// <summary>Kills what a running call started. The call itself then answers an error.</summary>
    public const string Cancel = "cancel";

    /// <summary>Drops the receipt of a call whose result is durable elsewhere.</summary>
    public const string Forget = "forget";

    public const string Ping = "ping";

    /// <summary>
    /// Starts <see cref="HandRequest.Program"/>. After the reply the connection is the program's alone: what the server
    /// sends is its input as it is, what it writes comes in pieces (a little-endian length and that many bytes). A
    /// piece of no bytes is the end, and a last reply follows with <see cref="HandReply.Status"/>. The end of the
    /// connection ends the program.
    /// </summary>
    public const string Start = "start";

    /// <summary>Keeps the shell's state in the session's files. Does nothing when no shell has run since.</summary>
    public const string Save = "save";
}

/// <summary>The words of <see cref="HandReply.Event"/>: what a hand says without being asked.</summary>
public static class HandEvents
{
    /// <summary>The <see cref="HandReply.Id"/> of an event; no request has it.</summary>
    public const long Id = -1;

    /// <summary>Something in the session's outputs folder has changed. What it is has to be looked at.</summary>
    public const string OutputsWritten = "outputs_written";

    /// <summary>Something below <c>/mnt/memory</c> has changed. What it is has to be looked at.</summary>
    public const string MemoryWritten = "memory_written";
}

/// <summary>One question to the hand. Replies come in any order and carry the same <see cref="Id"/>.</summary>
public sealed record HandRequest
{
    public required long Id { get; init; }

    public required string Verb { get; init; }

    public string? ToolUseId { get; init; }

    public string? Tool { get; init; }

    /// <summary>The shell that a call of <c>bash</c> runs in; null for the session's first.</summary>
    public string? Shell { get; init; }

    public JsonElement? Input { get; init; }

    public HandProgram? Program { get; init; }
}

/// <summary>A program to start in <c>/workspace</c>, found as a shell finds it.</summary>
/// <param name="Command">A path, or a name on <c>PATH</c>.</param>
/// <param name="Arguments">As the program gets them; no shell reads them.</param>
/// <param name="Environment">What it has beyond the sandbox's own variables, and in place of those.</param>
public sealed record HandProgram(
    string Command, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment);

/// <summary>
/// The answer to the request of the same <see cref="Id"/>; or, with <see cref="HandEvents.Id"/>, an event.
/// </summary>
public sealed record HandReply
{
    public required long Id { get; init; }

    /// <summary>What happened, when nobody asked.</summary>
    public string? Event { get; init; }

    /// <summary>The tool's answer, for a call.</summary>
    public string? Text { get; init; }

    public bool IsError { get; init; }

    /// <summary>The tool's answer in pieces, in place of <see cref="Text"/>, when there is more to it.</summary>
    public IReadOnlyList<HandPart>? Parts { get; init; }

    /// <summary>Names this life of the hand, for a hello.</summary>
    public string? Instance { get; init; }

    public int? Protocol { get; init; }

    /// <summary>For a hello: the first shell of this life begins with what an earlier one has kept.</summary>
    public bool RestoresShell { get; init; }

    /// <summary>
    /// How a program that was started has ended, as a shell counts; its last words on its error output are the
    /// <see cref="Text"/>.
    /// </summary>
    public int? Status { get; init; }

    /// <summary>Set when the request itself was wrong; never for a tool's failure.</summary>
    public string? Fault { get; init; }
}

/// <summary>
/// A piece of a tool's answer: a text, or a picture or a PDF. The bytes of those follow the reply's frame as they are,
/// in the order of the pieces.
/// </summary>
public sealed record HandPart
{
    public string? Text { get; init; }

    /// <summary>The name of the file that was read; null for a text.</summary>
    public string? Name { get; init; }

    /// <summary>How many bytes follow; 0 for a text.</summary>
    public int Bytes { get; init; }

    /// <summary>The bytes, once they have come.</summary>
    [JsonIgnore]
    public byte[]? Content { get; set; }
}

/// <summary>Pictures and PDFs in a tool's answer.</summary>
public static class HandMedia
{
    public const string Pdf = "application/pdf";

    /// <summary>Bytes of all of them in one answer: what one request to a model can carry.</summary>
    public const int AnswerBytesMax = 20 * 1024 * 1024;

    /// <summary>Pieces of one answer: pictures with texts between them.</summary>
    public const int PartsMax = 64;
}

/// <summary>The JSON contract between the server and its hands.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(HandRequest))]
[JsonSerializable(typeof(HandReply))]
public sealed partial class HandJson : JsonSerializerContext;
