namespace Tenon.Server.Mcp;

/// <summary>Every bound of what MCP servers may send and how long they may take, with its reason.</summary>
public sealed record McpLimits
{
    /// <summary>For one address to take a connection: a host that is there answers in a fraction of it.</summary>
    public TimeSpan ConnectTimeMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// For a server to be connected to and to list its tools. The turn's first request to the model waits for it.
    /// </summary>
    public TimeSpan ListTimeMax { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The same for one that is a program in the sandbox, from its start on: an interpreter and its libraries are read
    /// from disk first.
    /// </summary>
    public TimeSpan ProgramTimeMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// For the sandbox of such a program to stand. One whose environment has packages that were never installed waits
    /// for them.
    /// </summary>
    public TimeSpan SandboxTimeMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// For a server to answer the question of the newest protocol. One that knows only the older ones may not answer
    /// at all, and is then asked in their way.
    /// </summary>
    public TimeSpan ProbeTimeMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>For a call to answer. Tools that build, search or render take minutes.</summary>
    public TimeSpan CallTimeMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>For a server to hear that its session has ended. Nothing depends on it.</summary>
    public TimeSpan CloseTimeMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// A connection is closed when it has had nothing to do for so long. Until then the server keeps what it has of
    /// the session, also while a client thinks about a call that asks.
    /// </summary>
    public TimeSpan IdleMax { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How often connections are looked through for those that rest.</summary>
    public TimeSpan SweepInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Bytes of one answer after decompression, or of one stream of events. A picture that is shown fits, as base64.
    /// </summary>
    public long AnswerBytesMax { get; init; } = 32 * 1024 * 1024;

    /// <summary>Tools of one server; real ones have dozens.</summary>
    public int ToolsMax { get; init; } = 512;

    /// <summary>Pages of one server's list: enough for as many tools, ten at a time.</summary>
    public int PagesMax { get; init; } = 52;

    /// <summary>
    /// Characters of all of one server's tools: they stand in the session's log, and in every request to the model.
    /// </summary>
    public int ListCharsMax { get; init; } = 1_000_000;

    /// <summary>Characters of one tool's description. Beyond it is a manual, which costs in every request.</summary>
    public int DescriptionCharsMax { get; init; } = 16_000;

    /// <summary>
    /// Levels of one tool's schema. Far above real ones, and below what JSON readers take once it stands in an entry
    /// of the log.
    /// </summary>
    public int SchemaDepthMax { get; init; } = 32;

    /// <summary>Redirects within one server, such as to the same path with a slash.</summary>
    public int RedirectsMax { get; init; } = 3;

    /// <summary>Blocks of one result.</summary>
    public int BlocksMax { get; init; } = 64;

    /// <summary>Bytes of all pictures and documents of one result: what one request to a model can carry.</summary>
    public long MediaBytesMax { get; init; } = 20 * 1024 * 1024;

    /// <summary>Characters of a server's own words in an error.</summary>
    public int ErrorCharsMax { get; init; } = 2_000;
}
