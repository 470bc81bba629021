using Tenon.Wire.Hand;

namespace Tenon.Hand.Tools;

/// <summary>Every limit of the tools. Where the wire's reference names one, it is that one (api E).</summary>
internal static class ToolLimits
{
    /// <summary>What a command's answer keeps of its output: the end, where the outcome stands (api E).</summary>
    public const int InlineOutputBytes = 100 * 1024;

    /// <summary>What is kept of a longer output in a file: large for a log, small beside a private /tmp.</summary>
    public const long SpooledOutputBytes = 64L * 1024 * 1024;

    public const string SpoolDirectory = "/tmp/tool_results";

    /// <summary>A command's time unless the call says otherwise (api E).</summary>
    public const int BashTimeoutMs = 120_000;

    /// <summary>The longest time a call may ask for: a build may take an hour, a forgotten server may not.</summary>
    public const int BashTimeoutMsMax = 3_600_000;

    /// <summary>What a file tool reads into memory at most (api E).</summary>
    public const int FileBytes = 256 * 1024;

    /// <summary>
    /// A PDF, or all pictures of a notebook: all files of one request to a model have 20 MiB at most.
    /// </summary>
    public const int PdfBytes = HandMedia.AnswerBytesMax;

    /// <summary>Pages of a PDF that providers take.</summary>
    public const int PdfPages = 100;

    /// <summary>A notebook with its pictures, which is parsed in memory.</summary>
    public const int NotebookBytes = 32 * 1024 * 1024;

    /// <summary>Pictures of a notebook in one answer: of more, providers take smaller ones only.</summary>
    public const int NotebookPictures = 20;

    /// <summary>How far into a file its kind is judged: text has no NUL byte there.</summary>
    public const int BinaryProbeBytes = 8 * 1024;

    public const int GlobPaths = 200;

    public const int GrepOutputBytes = 100 * 1024;

    /// <summary>Longer lines are generated or packed; they would fill an answer alone.</summary>
    public const int GrepLineChars = 2000;

    public static readonly TimeSpan GrepTime = TimeSpan.FromSeconds(60);

    /// <summary>One line may not hold a search up: a pattern can be made to take for ever.</summary>
    public static readonly TimeSpan GrepLineTime = TimeSpan.FromSeconds(2);

    /// <summary>Bounds a walk over a tree that the model chose.</summary>
    public const int WalkEntries = 200_000;

    public const int WalkDepth = 64;

    /// <summary>Results kept until they are forgotten; a session has at most a few calls under way.</summary>
    public const int Receipts = 1024;

    /// <summary>Bounds what all kept results hold together: a few of the largest.</summary>
    public const long ReceiptBytes = 48L * 1024 * 1024;

    /// <summary>A server connects in milliseconds after the start.</summary>
    public static readonly TimeSpan FirstConnection = TimeSpan.FromMinutes(1);

    /// <summary>Connections at once: a server and its programs, its dead predecessors, and some to spare.</summary>
    public const int Connections = 16 + HandProtocol.ProgramsMax;

    /// <summary>For a program to end by itself once its input has.</summary>
    public static readonly TimeSpan ProgramEnd = TimeSpan.FromSeconds(1);

    /// <summary>A program's last words on its error output: where the reason of its end stands.</summary>
    public const int ProgramErrorBytes = 2 * 1024;

    /// <summary>How long a shell has run nothing when its state is kept: most calls follow each other faster.</summary>
    public static readonly TimeSpan ShellQuiet = TimeSpan.FromMilliseconds(500);

    /// <summary>A shell's state that is kept. Beyond it, a variable holds what belongs into a file.</summary>
    public const int ShellStateBytes = 1024 * 1024;
}
