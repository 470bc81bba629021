using System.Globalization;
using System.Text.RegularExpressions;
using Tenon.Server.Mcp;

namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// What happens in one run, made from a seed: what the model answers at each place of the conversation, which of its
/// requests fail, and what the client sends when. Everything carries a marker, so that the model and the client know
/// from the conversation alone how far it is, as real ones do.
/// </summary>
internal sealed partial class Scenario
{
    private const int AnswersMax = 14;

    private Scenario(int seed, bool isChaotic) => (Seed, IsChaotic) = (seed, isChaotic);

    public int Seed { get; }

    /// <summary>Interrupts come at any time and sandboxes die: the rules hold, but there is not one outcome.</summary>
    public bool IsChaotic { get; }

    /// <summary>The model's answers in order. A round of calls, or none: then the turn ends.</summary>
    public IReadOnlyList<IReadOnlyList<PlannedCall>> Answers { get; private init; } = [];

    /// <summary>How often the model fails before it gives the answer of that number.</summary>
    public IReadOnlyDictionary<int, int> Faults { get; private init; } = new Dictionary<int, int>();

    /// <summary>The client's messages, in order.</summary>
    public IReadOnlyList<PlannedMessage> Messages { get; private init; } = [];

    /// <summary>Tokens: small enough that some runs are compacted.</summary>
    public int ContextWindow { get; private init; } = 1_000_000;

    public static Scenario Make(int seed, bool isChaotic)
    {
        var random = new Random(seed);
        var answers = new List<IReadOnlyList<PlannedCall>>();
        var messages = new List<PlannedMessage> { new(0, -1, false) };
        var faults = new Dictionary<int, int>();
        while (answers.Count < AnswersMax)
        {
            var number = answers.Count;
            if (random.Next(4) == 0)
            {
                faults[number] = random.Next(1, 3);
            }

            answers.Add(random.Next(4) == 0 ? [] : Round(number, random, isChaotic));
            var busy = answers[number].Count > 0 && random.Next(4) == 0;
            if (busy || answers[number].Count == 0 || answers[number].Any(call => call.Kind == CallKind.Endless))
            {
                messages.Add(new PlannedMessage(messages.Count, busy ? number : -1, random.Next(3) == 0));
            }
        }

        return new Scenario(seed, isChaotic)
        {
            Answers = answers,
            Faults = faults,
            Messages = messages,
            ContextWindow = random.Next(2) == 0 ? 3_000 : 1_000_000,
        };
    }

    /// <summary>
    /// An outcome that the grader sends back once, and a message afterwards. The grader looks at a file each time, and
    /// fails once.
    /// </summary>
    public static Scenario MakeOutcome(bool isChaotic) => new(seed: 0, isChaotic)
    {
        Answers =
        [
            [new PlannedCall(0, 0, CallKind.Effect), new PlannedCall(0, 1, CallKind.Read)], [],
            [new PlannedCall(2, 0, CallKind.Effect)], [],
        ],
        Faults = new Dictionary<int, int> { [0] = 1, [LastOfFirstTry + 1] = 1 },
        Messages = [new PlannedMessage(0, -1, false) { IsOutcome = true }, new PlannedMessage(1, -1, false)],
    };

    /// <summary>One message to an agent that has others to call upon.</summary>
    public static Scenario MakeTeam() => new(seed: 0, isChaotic: false)
    {
        IsTeam = true, Messages = [new PlannedMessage(0, -1, false)],
    };

    /// <summary>Whether agents work together: then <see cref="SimulatedTeam"/> says what they answer.</summary>
    public bool IsTeam { get; private init; }

    /// <summary>The number of the answer that the grader sends back.</summary>
    public const int LastOfFirstTry = 1;

    /// <summary>The number of the answer that comes next, from what the conversation holds.</summary>
    public static int Next(IEnumerable<string> texts) => texts
        .SelectMany(text => Marker().Matches(text))
        .Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) + 1)
        .DefaultIfEmpty(0).Max();

    private static List<PlannedCall> Round(int number, Random random, bool isChaotic)
    {
        if (random.Next(6) == 0)
        {
            return [new PlannedCall(number, 0, CallKind.Endless)];
        }

        var kinds = new[]
        {
            CallKind.Effect, CallKind.Effect, CallKind.Read, CallKind.Read, CallKind.Ask, CallKind.Custom,
            CallKind.Disabled, CallKind.McpRead,

            // A crash leaves its outcome unknown, so there is not one end to come to.
            isChaotic ? CallKind.McpEffect : CallKind.McpRead,
        };
        return [.. Enumerable.Range(0, random.Next(1, 5))
            .Select(index => new PlannedCall(number, index, kinds[random.Next(kinds.Length)]))];
    }

    [GeneratedRegex(@"\b(?:answer|call|through)[ _](\d+)")]
    private static partial Regex Marker();
}

internal enum CallKind
{
    /// <summary>A command that changes something: it must happen once.</summary>
    Effect,

    /// <summary>Runs beside its neighbours.</summary>
    Read,

    /// <summary>Needs the client's word first.</summary>
    Ask,

    /// <summary>The client runs it.</summary>
    Custom,

    /// <summary>The agent may not use it.</summary>
    Disabled,

    /// <summary>Of an MCP server: runs beside its neighbours, and again after a crash.</summary>
    McpRead,

    /// <summary>Of an MCP server: it must happen once at most, and nobody keeps its receipt.</summary>
    McpEffect,

    /// <summary>Ends only when the client interrupts it.</summary>
    Endless,
}

internal sealed record PlannedCall(int Answer, int Index, CallKind Kind)
{
    /// <summary>The provider's id for the call, which is also its marker.</summary>
    public string Name => $"call_{Answer}_{Index}";

    public string Tool => Kind switch
    {
        CallKind.Effect or CallKind.Endless => "bash",
        CallKind.Read => "read",
        CallKind.Ask => "write",
        CallKind.Custom => "lookup",
        CallKind.McpRead => McpToolName.Of(SimulatedMcp.Server, SimulatedMcp.Lookup),
        CallKind.McpEffect => McpToolName.Of(SimulatedMcp.Server, SimulatedMcp.Order),
        _ => "grep",
    };

    /// <summary>What the client says to a call that asks.</summary>
    public bool IsAllowed => (Answer + Index) % 3 != 0;
}

/// <param name="Number">Its place among the client's messages, from 0.</param>
/// <param name="During">The answer after which it is sent, while that answer's calls run; -1 waits for the end.</param>
/// <param name="HasSystem">Whether a <c>system.message</c> goes with it, if it waits for the end.</param>
internal sealed record PlannedMessage(int Number, int During, bool HasSystem)
{
    public string Text => $"message {Number}";

    /// <summary>Whether it defines an outcome, which this is the description of.</summary>
    public bool IsOutcome { get; init; }
}
