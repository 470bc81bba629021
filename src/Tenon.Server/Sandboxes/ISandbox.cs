using System.Text.Json;
using Tenon.Wire.Content;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>Makes sandboxes and finds living ones again. One sandbox a session.</summary>
public interface ISandboxProvider
{
    /// <summary>
    /// The session's sandbox: the living one, also after a restart of this server, or a new one over the session's
    /// kept files. Concurrent calls for one session share one start.
    /// </summary>
    /// <exception cref="SandboxException">It cannot be started; the message says why and what to do.</exception>
    Task<ISandbox> Open(string sessionId, CancellationToken cancellationToken);

    /// <summary>
    /// Shows the session's uploads as they are now in its sandbox, also in one that lives. One that is made later has
    /// them from the start.
    /// </summary>
    /// <exception cref="SandboxException">They could not be placed; the next sandbox tries again.</exception>
    Task PlaceUploads(string sessionId, CancellationToken cancellationToken);

    /// <summary>
    /// Keeps the session's files as they are now, under a name. False when there is nothing to keep, or a call runs;
    /// a call that comes meanwhile waits. Snapshots that are not to stay go.
    /// </summary>
    /// <exception cref="SandboxException">It could not be made; the message says why.</exception>
    Task<bool> Snapshot(
        string sessionId, string snapshotId, IReadOnlyCollection<string> stay, CancellationToken cancellationToken);

    /// <summary>Ends the session's sandbox with everything that runs in it, at once, and keeps its files.</summary>
    Task Stop(string sessionId, CancellationToken cancellationToken);

    /// <summary>Ends the session's sandbox and deletes its files. Does nothing for a session that has none.</summary>
    Task Destroy(string sessionId, CancellationToken cancellationToken);
}

/// <summary>A living sandbox. Its tools run inside it; the server only carries words.</summary>
public interface ISandbox
{
    /// <summary>Names this life of the sandbox. Another value after a restart means that receipts are gone.</summary>
    string Instance { get; }

    /// <summary>
    /// What this life has of the ones before it, for the model to read; null when it began with an empty workspace.
    /// </summary>
    string? Notice { get; }

    /// <summary>
    /// What was put into this life beside its mounts, once that is done; what failed is tried again after a while.
    /// </summary>
    /// <exception cref="SandboxException">The sandbox was lost meanwhile.</exception>
    Task<SandboxProvision> Provisioned(CancellationToken cancellationToken) => Task.FromResult(SandboxProvision.None);

    /// <summary>
    /// Runs a tool once. The same <see cref="SandboxCall.ToolUseId"/> again never runs twice: it waits for, or gets,
    /// the first run's result. Cancelling kills what the call started and returns an error result that says so.
    /// A tool's failure is a result.
    /// </summary>
    /// <exception cref="SandboxException">The sandbox died or cannot be reached; the outcome is unknown.</exception>
    Task<ToolOutput> Call(SandboxCall call, CancellationToken cancellationToken);

    /// <summary>
    /// Starts a program that lives until it is disposed, it ends, or the sandbox does. Nothing of it outlives this
    /// server: another one starts it anew.
    /// </summary>
    /// <exception cref="SandboxException">It cannot be started; the message says why.</exception>
    Task<SandboxProgram> Start(HandProgram program, CancellationToken cancellationToken) =>
        throw new SandboxException("This sandbox starts no programs.");

    /// <summary>Lets the sandbox drop the receipt of a result that is durable in the log.</summary>
    Task Forget(string toolUseId, CancellationToken cancellationToken);
}

/// <param name="ToolUseId">The wire id of the tool-use event: the key of the receipt.</param>
/// <param name="Tool"><c>bash read write edit glob grep</c>.</param>
/// <param name="Input">The model's input, as it came.</param>
public sealed record SandboxCall(string ToolUseId, string Tool, JsonElement Input)
{
    /// <summary>The shell that <c>bash</c> runs in, made when it is first named; null for the session's own.</summary>
    public string? Shell { get; init; }
}

/// <summary>What a tool answers. A failure is an answer with <paramref name="IsError"/> that the model reads.</summary>
public sealed record ToolOutput(IReadOnlyList<ContentBlock> Content, bool IsError)
{
    /// <summary>Pictures and PDFs of the answer, whose bytes have no place yet.</summary>
    public IReadOnlyList<ToolMedia> Media { get; init; } = [];

    public static ToolOutput Ok(string text) => new([ContentBlock.Of(text)], false);

    public static ToolOutput Error(string text) => new([ContentBlock.Of(text)], true);
}

/// <summary>A picture or a PDF of an answer, as somebody says who is not trusted.</summary>
/// <param name="Before">How many blocks of the content stand before it.</param>
/// <param name="Name">Of the file that it was read from.</param>
public sealed record ToolMedia(int Before, string Name, byte[] Bytes);

/// <summary>
/// A sandbox could not be started or was lost. The message is shown to the model and to the operator.
/// </summary>
public sealed class SandboxException(string message, Exception? inner = null) : Exception(message, inner);
