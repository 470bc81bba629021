using System.Text.Json;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// What a scripted model service answers, in no provider's words: each service renders it in its own.
/// </summary>
public sealed record Reply
{
    public IReadOnlyList<ReplyBlock> Blocks { get; init; } = [];

    public ReplyUsage Usage { get; init; } = new();

    /// <summary>The provider's own word for why it stopped; null follows from the blocks.</summary>
    public string? StopReason { get; init; }

    public ReplyRefusal? Refused { get; init; }

    public ReplyEnding Ending { get; init; } = ReplyEnding.Whole;

    /// <summary>A failure in place of an answer; with blocks, a failure in the middle of the stream.</summary>
    public ReplyError? Failure { get; init; }

    /// <summary>Waited for before each event is sent, given the event; null sends all events in one write.</summary>
    public Func<string, Task>? Gate { get; init; }

    /// <summary>Text that streams in the given fragments.</summary>
    public static Reply Text(params string[] fragments) => new() { Blocks = [new ReplyText(fragments)] };

    public static Reply Thinking(string text, string signature) =>
        new() { Blocks = [new ReplyThinking(text, signature)] };

    /// <summary>Thinking that the service shows in encrypted form only.</summary>
    public static Reply Redacted(string data) => new() { Blocks = [new ReplyRedacted(data)] };

    /// <param name="input">Any value that serializes to a JSON object.</param>
    public static Reply ToolUse(string name, object input, string? id = null) =>
        new() { Blocks = [new ReplyToolUse(name, JsonSerializer.Serialize(input), id)] };

    /// <summary>A call whose input is this text, which may be no JSON at all.</summary>
    public static Reply RawToolUse(string name, string input) =>
        new() { Blocks = [new ReplyToolUse(name, input, null)] };

    public static Reply Refusal(string? category, string? explanation) =>
        new() { Refused = new ReplyRefusal(category, explanation) };

    public static Reply Error(int status, string type, string message = "scripted") =>
        new() { Failure = new ReplyError(status, type, message) };

    /// <summary>Sends these fragments and then nothing; with none, not even a header.</summary>
    public static Reply Hang(params string[] fragments) => Text(fragments) with { Ending = ReplyEnding.Hang };

    /// <summary>Sends these fragments and then tears the connection.</summary>
    public static Reply Cut(params string[] fragments) => Text(fragments) with { Ending = ReplyEnding.Cut };

    /// <summary>This answer's blocks and then the other's, in one answer that ends as the other does.</summary>
    public Reply Then(Reply next) => next with { Blocks = [.. Blocks, .. next.Blocks] };

    /// <summary>The same error with a response header, such as <c>retry-after</c>.</summary>
    public Reply WithHeader(string name, string value) => this with
    {
        Failure = Failure! with { Headers = new Dictionary<string, string>(Failure!.Headers) { [name] = value } },
    };
}

public abstract record ReplyBlock;

public sealed record ReplyText(IReadOnlyList<string> Fragments) : ReplyBlock;

public sealed record ReplyThinking(string Thinking, string Signature) : ReplyBlock;

public sealed record ReplyRedacted(string Data) : ReplyBlock;

public sealed record ReplyToolUse(string Name, string Input, string? Id) : ReplyBlock;

public sealed record ReplyRefusal(string? Category, string? Explanation);

public sealed record ReplyError(int Status, string Type, string Message)
{
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
}

/// <summary>Tokens as Anthropic counts them: input without what the cache read or wrote.</summary>
public sealed record ReplyUsage(
    long Input = 10, long Output = 5, long CacheRead = 0, long CacheWrite5m = 0, long CacheWrite1h = 0);

public enum ReplyEnding
{
    Whole,

    /// <summary>The stream ends in good order, but without its end marker.</summary>
    Unfinished,

    /// <summary>The connection is torn.</summary>
    Cut,

    /// <summary>Nothing more comes, and the connection stays open.</summary>
    Hang,
}
