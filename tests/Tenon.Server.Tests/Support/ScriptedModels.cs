using System.Collections.Concurrent;
using Tenon.Server.Models;

namespace Tenon.Server.Tests.Support;

/// <summary>A script for each model name, so that sessions of one server do not take each other's answers.</summary>
public sealed class ScriptedModels : IModel
{
    private readonly ConcurrentDictionary<string, ScriptedModel> _models = new();

    public ScriptedModel Of(string name) => _models.GetOrAdd(name, _ => new ScriptedModel());

    public IReadOnlyList<string> Fallbacks(string model) => Of(model).FallsBackTo;

    public IAsyncEnumerable<ModelChunk> Stream(ModelRequest request, CancellationToken cancellationToken) =>
        Of(request.Model).Stream(request, cancellationToken);
}
