using System.Text.Json;
using Tenon.Server.Mcp;
using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;

namespace Tenon.Server.Tools;

/// <summary>
/// Runs the tools of one session: those of the web and of MCP servers from here, all others in its sandbox, which is
/// opened by the first call that needs it.
/// </summary>
/// <remarks>A failure is a result that the model reads; only the caller's own cancellation throws.</remarks>
/// <param name="keep">Gives pictures and documents of a result their place.</param>
public sealed class ToolRunner(
    ISandboxProvider sandboxes, WebTools web, IMcpServers mcp, KeepMedia keep, string sessionId)
{
    /// <summary>Characters of a result that the model gets; a longer one goes to a file (api E, common).</summary>
    private const int ResultCharsMax = 100_000;

    /// <summary>
    /// Characters of a longer result that the model sees at once: enough to judge it, little enough to afford.
    /// </summary>
    private const int PreviewChars = 10_000;

    private ISandbox? _sandbox;

    /// <summary>The thread's own shell in the sandbox; null for the primary thread's.</summary>
    public string? Shell { get; init; }

    /// <summary>Makes what a call wrote to memory durable; null for a session that has none.</summary>
    public SaveMemories? SaveMemories { get; init; }

    /// <summary>What models are offered beside the sandbox's tools.</summary>
    public IReadOnlyList<ModelTool> WebTools => web.Offered;

    /// <summary>
    /// The living sandbox. Call it before <see cref="Run"/>, so that its instance can be logged first.
    /// </summary>
    /// <exception cref="SandboxException">It cannot be started.</exception>
    public async Task<ISandbox> Open(CancellationToken cancellationToken) =>
        _sandbox = await sandboxes.Open(sessionId, cancellationToken);

    /// <summary>Runs one call, once: asked again after a restart, it gives the first run's result.</summary>
    public async Task<ToolOutput> Run(
        string callId, string name, JsonElement input, CancellationToken cancellationToken)
    {
        if (!BuiltinTools.IsSandboxed(name))
        {
            return ToolOutput.Error($"The tool {name} is not available on this server yet.");
        }

        try
        {
            var output = await _sandbox!.Call(
                new SandboxCall(callId, name, input) { Shell = Shell }, cancellationToken);
            return await Remember(await Shorten(callId, await Keep(output), cancellationToken));
        }
        catch (SandboxException exception)
        {
            // The next call opens a new one over the kept files.
            _sandbox = null;
            return ToolOutput.Error(
                $"The sandbox was lost while {name} ran, so whether it took effect is unknown: {exception.Message} "
                + "Files in /workspace are kept; processes and shell state are gone.");
        }
    }

    /// <summary>Runs a call of a web tool, which nothing but its result comes of: it can be run again.</summary>
    public Task<ToolOutput> RunWeb(WebCall call, CancellationToken cancellationToken) =>
        web.Run(call, cancellationToken);

    /// <summary>What the servers offer now.</summary>
    public Task<IReadOnlyList<McpListing>> ListMcp(
        IReadOnlyList<McpServer> servers, CancellationToken cancellationToken) =>
        mcp.List(sessionId, servers, cancellationToken);

    /// <summary>Makes a call of an MCP server's tool. Made again, it is another call.</summary>
    public async Task<McpAnswer> RunMcp(
        McpServer server, string tool, JsonElement input, CancellationToken cancellationToken)
    {
        var answer = await mcp.Call(new McpCall(sessionId, server, tool, input), cancellationToken);
        return answer with { Output = await Keep(answer.Output) };
    }

    /// <summary>Whether the model gets only the beginning of a result of what runs here.</summary>
    public static bool IsTooLong(ToolOutput output) => Text(output).Length > ResultCharsMax;

    /// <summary>
    /// The beginning of a result of what runs here. All of its text goes to a file of the sandbox, which must be open;
    /// without one, as much is shown as a result may have.
    /// </summary>
    public async Task<ToolOutput> Shorten(
        string callId, ToolOutput output, bool hasSandbox, CancellationToken cancellationToken)
    {
        var text = Text(output);
        var (shown, where) = hasSandbox
            ? (PreviewChars, await WriteWhole(callId, text, cancellationToken))
            : (ResultCharsMax, "The rest is left out.");
        var preview = TextCut.At(text, shown) + Note(text, shown, where);
        return output.Content is [DocumentBlock document]
            ? output with { Content = [document with { Source = document.Source with { Data = preview } }] }
            : output with { Content = [ContentBlock.Of(preview), .. output.Content.Where(HasNoText)] };
    }

    /// <summary>
    /// Drops a receipt whose result is durable. A receipt too many costs memory only, so a failure is no matter.
    /// </summary>
    public async Task Forget(string callId)
    {
        try
        {
            await (_sandbox?.Forget(callId, CancellationToken.None) ?? Task.CompletedTask);
        }
        catch (SandboxException)
        {
            // A dead sandbox has no receipts left to drop.
            _sandbox = null;
        }
    }

    /// <summary>The output with its pictures and documents where they stand. It has run, so nothing cancels this.
    /// </summary>
    private async Task<ToolOutput> Keep(ToolOutput output)
    {
        if (output.Media.Count == 0)
        {
            return output;
        }

        var content = output.Content.ToList();
        foreach (var media in output.Media.Reverse())
        {
            content.Insert(media.Before, await keep(sessionId, media, CancellationToken.None));
        }

        return new ToolOutput(content, output.IsError);
    }

    /// <summary>The output, with what the model must know of the memory that the call wrote.</summary>
    private async Task<ToolOutput> Remember(ToolOutput output) =>
        SaveMemories is not null && await SaveMemories(sessionId) is { } note
            ? output with { Content = [.. output.Content, ContentBlock.Of(note)] } : output;

    private async Task<ToolOutput> Shorten(string callId, ToolOutput output, CancellationToken cancellationToken)
    {
        var text = Text(output);
        if (text.Length <= ResultCharsMax)
        {
            return output;
        }

        var where = await WriteWhole(callId, text, cancellationToken);
        var preview = ContentBlock.Of(TextCut.At(text, PreviewChars) + Note(text, PreviewChars, where));
        return new ToolOutput([preview, .. output.Content.Where(block => block is not TextBlock)], output.IsError);
    }

    /// <summary>Writes a whole result into the sandbox; a sentence that says where it is.</summary>
    private async Task<string> WriteWhole(string callId, string text, CancellationToken cancellationToken)
    {
        var path = $"/tmp/tool_results/{callId}.txt";
        var input = JsonSerializer.SerializeToElement(new Dictionary<string, string>
        {
            ["file_path"] = path,
            ["content"] = text,
        });
        var written = await _sandbox!.Call(new SandboxCall(callId + ".full", "write", input), cancellationToken);
        return written.IsError ? "The rest could not be kept." : $"The whole result is in {path}.";
    }

    private static string Note(string text, int shown, string where) =>
        $"\n[{text.Length} characters, of which the first {shown} are shown. {where}]";

    private static string Text(ToolOutput output) => string.Concat(output.Content.Select(Text));

    private static string Text(ContentBlock block) => block switch
    {
        TextBlock text => text.Text,
        DocumentBlock { Source: { Type: "text", Data: { } data } } => data,
        _ => "",
    };

    private static bool HasNoText(ContentBlock block) => Text(block).Length == 0;
}

/// <summary>
/// Makes durable what a session has written to its memory. Never fails; what the model must know is a sentence.
/// </summary>
public delegate Task<string?> SaveMemories(string sessionId);
