using Tenon.Hand.Processes;
using Tenon.Hand.Tools;

namespace Tenon.Hand;

/// <summary>The tools by name.</summary>
internal sealed class Toolbox(Children children) : IDisposable
{
    private readonly BashTool _bash = new(children);
    private readonly GrepTool _grep = new(children);

    public Task<ToolAnswer> Run(string toolUseId, ToolInput input, CancellationToken cancellationToken) =>
        input.Tool switch
        {
            "bash" => _bash.Run(input, toolUseId, cancellationToken),
            "read" => Task.FromResult(ReadTool.Run(input, cancellationToken)),
            "write" => Task.FromResult(WriteTool.Run(input)),
            "edit" => Task.FromResult(EditTool.Run(input)),
            "glob" => Task.FromResult(GlobTool.Run(input, cancellationToken)),
            "grep" => Task.FromResult(_grep.Run(input, cancellationToken)),
            _ => throw new ToolFault($"{input.Tool}: there is no such tool in the sandbox"),
        };

    /// <inheritdoc cref="BashTool.Save"/>
    public Task Save() => _bash.Save();

    public void Dispose() => _bash.Dispose();
}
