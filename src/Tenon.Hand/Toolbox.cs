using System.Collections.Concurrent;
using Tenon.Hand.Processes;
using Tenon.Hand.Tools;

namespace Tenon.Hand;

/// <summary>The tools by name. Each thread of a session has a shell of its own; all else is the same for all.</summary>
internal sealed class Toolbox : IDisposable
{
    private readonly ConcurrentDictionary<string, BashTool> _shells = new(StringComparer.Ordinal);
    private readonly Children _children;
    private readonly BashTool _bash;
    private readonly GrepTool _grep;

    public Toolbox(Children children)
    {
        (_children, _grep) = (children, new GrepTool(children));
        _bash = new BashTool(children, OthersThan, isKept: true);
    }

    /// <param name="shell">The shell that <c>bash</c> runs in; null for the session's first.</param>
    public Task<ToolAnswer> Run(
        string toolUseId, string? shell, ToolInput input, CancellationToken cancellationToken) => input.Tool switch
        {
            "bash" => Shell(shell).Run(input, toolUseId, cancellationToken),
            "read" => Task.FromResult(ReadTool.Run(input, cancellationToken)),
            "write" => Task.FromResult(WriteTool.Run(input)),
            "edit" => Task.FromResult(EditTool.Run(input)),
            "glob" => Task.FromResult(GlobTool.Run(input, cancellationToken)),
            "grep" => Task.FromResult(_grep.Run(input, cancellationToken)),
            _ => throw new ToolFault($"{input.Tool}: there is no such tool in the sandbox"),
        };

    /// <inheritdoc cref="BashTool.Save"/>
    public Task Save() => _bash.Save();

    public void Dispose()
    {
        _bash.Dispose();
        foreach (var shell in _shells.Values)
        {
            shell.Dispose();
        }
    }

    private BashTool Shell(string? name) => name is null
        ? _bash : _shells.GetOrAdd(name, _ => new BashTool(_children, OthersThan, isKept: false));

    private HashSet<int> OthersThan(BashTool one) =>
        [.. _shells.Values.Append(_bash).Where(shell => shell != one).Select(shell => shell.Pid).OfType<int>()];
}
