namespace Tenon.Server.Sandboxes;

/// <summary>What became of a probe.</summary>
public enum ProbeOutcome
{
    /// <summary>What must happen happened.</summary>
    Held,

    /// <summary>Something else happened: a way out, or a probe that proves nothing.</summary>
    Failed,

    /// <summary>It could not be made here; why is in the detail. It proves nothing.</summary>
    NotTried,
}

/// <summary>What one probe, or one look at the machine, found.</summary>
/// <param name="Held">It is as it must be.</param>
/// <param name="Detail">What was seen.</param>
/// <param name="Fix">What to do when it is not.</param>
public sealed record ProbeResult(string Name, bool Held, string Detail, string Fix)
{
    /// <summary>The probe's number in <c>docs/operations/security.md</c>; empty where it has none.</summary>
    public string Number { get; init; } = "";

    public ProbeOutcome Outcome { get; init; } = Held ? ProbeOutcome.Held : ProbeOutcome.Failed;
}

/// <summary>One way out of a sandbox, or one abuse of it, and what must come of it.</summary>
/// <param name="Number">Its row in <c>docs/operations/security.md</c>; a letter marks parts of one subject.</param>
/// <param name="Name">What is tried.</param>
/// <param name="Must">What must happen, in words.</param>
/// <param name="How">A command for the sandbox's shell. For another tool, what is prepared before it is called.</param>
/// <param name="Answer">A regular expression that the answer must match.</param>
/// <remarks>
/// Each is harmless where the sandbox fails: what is dangerous is opened and never written to, what grows ends at a
/// number that the machine survives, and no packet is sent to any address but the sandbox's own loopback.
/// </remarks>
internal sealed record SandboxProbe(string Number, string Name, string Must, string How, string Answer)
{
    /// <summary>Tried at every start of the server, which does not serve when it fails.</summary>
    public bool AtStart { get; init; }

    /// <summary>Tried in a sandbox with narrow limits, so that reaching them is quick and harmless.</summary>
    public bool InNarrow { get; init; }

    /// <summary>What a probe answers that has ended its sandbox as a whole.</summary>
    public const string Ended = "the sandbox ended";

    /// <summary>Why it cannot be tried here; null when it can.</summary>
    public string? NotTried { get; init; }

    /// <summary>The tool that is called, and with what, when it is not <c>bash</c>.</summary>
    public (string Name, object Input)? Tool { get; init; }

    /// <summary>After <see cref="How"/>: looks at the sandbox from outside, and says what it saw.</summary>
    public Func<ProbeStage, Task<string>>? Outside { get; init; }

    public string Fix { get; init; } =
        "This kernel or the container around the server weakens the sandbox; run the server on another host, "
        + "or with --allow-unsafe-sandbox where nothing else is at stake.";
}
