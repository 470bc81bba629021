namespace Tenon.Server.Harness;

/// <summary>Every bound of a turn, with its reason.</summary>
public sealed record Limits
{
    /// <summary>
    /// Answers with tool calls between two inputs of the user. Far above real work; it ends a model that calls for
    /// ever.
    /// </summary>
    public int ToolRoundsMax { get; init; } = 5_000;

    /// <summary>
    /// Tries of one model request before the turn gives up: with the delays below about half a minute of outage.
    /// </summary>
    public int ModelAttemptsMax { get; init; } = 5;

    /// <summary>The first delay between two tries; it doubles.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The longest delay of our own. A provider's <c>retry-after</c> may ask for more, up to the next limit.
    /// </summary>
    public TimeSpan RetryDelayMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The longest <c>retry-after</c> that is obeyed: beyond it a person would rather see the failure.
    /// </summary>
    public TimeSpan RetryAfterMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The share of the model's window at which the conversation is shortened: early enough that the next answer and
    /// its results still fit.
    /// </summary>
    public double CompactionShare { get; init; } = 0.75;

    /// <summary>The share of the window that the newest messages may keep: head-room, so it does not repeat.</summary>
    public double CompactionKeptShare { get; init; } = 0.2;

    /// <summary>Compactions in a row that may not help before the turn gives up: each costs a whole window.</summary>
    public int CompactionsInARowMax { get; init; } = 3;

    /// <summary>Tools of one answer that run at the same time: more would only wait for the sandbox's cores.</summary>
    public int ParallelToolsMax { get; init; } = 8;

    /// <summary>Answers of an outcome's grader in one evaluation: enough to look at many files, and it ends.</summary>
    public int GraderRoundsMax { get; init; } = 50;

    /// <summary>Answers of a grader that are neither a verdict nor a look at a file before it has failed.</summary>
    public int GraderNonsenseMax { get; init; } = 3;

    /// <summary>How often clients are told that a grader is still at work.</summary>
    public TimeSpan GraderHeartbeat { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Threads beside the primary one that are not archived; advisors and workflow runs have limits of their
    /// own (api C.9).</summary>
    public int ThreadsMax { get; init; } = 25;
}
