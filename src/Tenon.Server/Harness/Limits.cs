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

    /// <summary>Workflow runs of a session that have not ended.</summary>
    public int WorkflowRunsMax { get; init; } = 10;

    /// <summary>Threads of workflow runs that work at the same time; the others wait for their turn.</summary>
    public int WorkflowThreadsMax { get; init; } = 16;

    /// <summary>How long a run may take: longer than that, somebody should look at it.</summary>
    public TimeSpan WorkflowTimeMax { get; init; } = TimeSpan.FromHours(24);

    /// <summary>
    /// Rounds of calls in a row that bring nothing but what was seen before, until the thread is stopped; at half of
    /// them it is told. Enough for one that waits for something by asking again.
    /// </summary>
    public int StaleRoundsMax { get; init; } = 20;

    /// <summary>These, with what an agent says of its own.</summary>
    public Limits For(AgentLimits? own) => own is null ? this : this with
    {
        ToolRoundsMax = Math.Min(own.ToolRoundsMax ?? ToolRoundsMax, ToolRoundsMax),
        StaleRoundsMax = own.StaleRoundsMax ?? StaleRoundsMax,
    };
}

/// <summary>The bounds that an agent has of its own, by its metadata.</summary>
public sealed record AgentLimits
{
    /// <summary>Metadata: rounds of tool calls between two inputs.</summary>
    public const string ToolRoundsKey = "tenon.tool_rounds_max";

    /// <summary>Metadata: rounds in a row without anything new.</summary>
    public const string StaleRoundsKey = "tenon.stale_rounds_max";

    public int? ToolRoundsMax { get; init; }

    public int? StaleRoundsMax { get; init; }

    /// <summary>What the metadata says; null when that is nothing. Words that are no number say nothing.</summary>
    public static AgentLimits? Of(IReadOnlyDictionary<string, string> metadata)
    {
        var limits = new AgentLimits { ToolRoundsMax = Read(ToolRoundsKey), StaleRoundsMax = Read(StaleRoundsKey) };
        return limits is { ToolRoundsMax: null, StaleRoundsMax: null } ? null : limits;

        int? Read(string key) => metadata.TryGetValue(key, out var text)
            && int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number) && number > 0
                ? number : null;
    }
}
