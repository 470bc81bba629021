using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Content;

namespace Tenon.Server.Tools;

/// <summary>
/// Runs the built-in tools of one session in its sandbox, which is opened by the first call that needs it.
/// </summary>
/// <remarks>A failure is a result that the model reads; only the caller's own cancellation throws.</remarks>
/// <param name="keep">Gives pictures and documents of a result their place.</param>
public sealed class ToolRunner(ISandboxProvider sandboxes, KeepMedia keep, string sessionId)
{
    /// <summary>Characters of a result that the model gets; a longer one goes to a file (api E, common).</summary>
    private const int ResultCharsMax = 100_000;

    /// <summary>
    /// Characters of a longer result that the model sees at once: enough to judge it, little enough to afford.
    /// </summary>
    private const int PreviewChars = 10_000;

    private ISandbox? _sandbox;

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
            var output = await _sandbox!.Call(new SandboxCall(callId, name, input), cancellationToken);
            return await Shorten(callId, await Keep(output), cancellationToken);
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

    private async Task<ToolOutput> Shorten(string callId, ToolOutput output, CancellationToken cancellationToken)
    {
        var text = string.Concat(output.Content.OfType<TextBlock>().Select(block => block.Text));
        if (text.Length <= ResultCharsMax)
        {
            return output;
        }

        var path = $"/tmp/tool_results/{callId}.txt";
        var input = JsonSerializer.SerializeToElement(new Dictionary<string, string>
        {
            ["file_path"] = path,
            ["content"] = text,
        });
        var written = await _sandbox!.Call(new SandboxCall(callId + ".full", "write", input), cancellationToken);
        var where = written.IsError ? "The rest could not be kept." : $"The whole result is in {path}.";
        var note = $"\n[{text.Length} characters, of which the first {PreviewChars} are shown. {where}]";
        return new ToolOutput(
            [ContentBlock.Of(text[..PreviewChars] + note), .. output.Content.Where(block => block is not TextBlock)],
            output.IsError);
    }
}
