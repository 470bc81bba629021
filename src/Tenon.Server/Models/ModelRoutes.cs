using System.IO.Enumeration;

namespace Tenon.Server.Models;

/// <summary>Which service answers for a model id: the operator's routes first, then the rule of the README.</summary>
/// <remarks>
/// It is itself an <see cref="IModel"/>, so that who asks a model need not know that there are services.
/// </remarks>
public sealed class ModelRoutes : IModel
{
    public const string Anthropic = "anthropic";
    public const string OpenAi = "openai";
    public const string Demo = "demo";

    private readonly ModelServices services;
    private readonly ModelCatalog catalog;
    private readonly IModel? anthropic;
    private readonly IModel? openAi;
    private readonly IModel demo = new DemoModel();

    /// <exception cref="ArgumentException">A route names a service that does not exist.</exception>
    public ModelRoutes(ModelServices services, ModelCatalog catalog, TimeProvider time)
    {
        (this.services, this.catalog) = (services, catalog);
        foreach (var route in services.Routes)
        {
            if (route.Service is not (Anthropic or OpenAi or Demo))
            {
                throw new ArgumentException(
                    $"the route \"{route.Pattern}\" names the service \"{route.Service}\"; "
                    + $"services are {Anthropic}, {OpenAi} and {Demo}",
                    nameof(services));
            }
        }

        if (services.HasAnthropic)
        {
            anthropic = new AnthropicModel(
                new AnthropicAccess(services.AnthropicApiKey, services.AnthropicAuthToken, services.AnthropicBaseUrl),
                catalog,
                time);
        }

        if (services.HasOpenAi)
        {
            openAi = new ChatModel(new ChatAccess(services.OpenAiApiKey, services.OpenAiBaseUrl), time);
        }
    }

    public IAsyncEnumerable<ModelChunk> Stream(ModelRequest request, CancellationToken cancellationToken)
    {
        var route = Find(request.Model);
        var model = route.Service switch
        {
            Anthropic => anthropic,
            OpenAi => openAi,
            _ => demo,
        };
        return model is null
            ? ServiceStream.Failed(ModelFaultKind.Unauthorized, NotConfigured(request.Model, route.Service))
            : model.Stream(
                ModelMedias.Seen(request, route) with { Model = route.Model ?? request.Model }, cancellationToken);
    }

    public int ContextWindow(string model) => catalog.Find(Find(model).Model ?? model).MaxInputTokens;

    public IReadOnlyList<string> Fallbacks(string model) => Find(model).Fallbacks;

    /// <summary>
    /// The route of a model id; its service may still lack a key, which <see cref="Stream"/> then says.
    /// </summary>
    public ModelRoute Find(string model)
    {
        foreach (var route in services.Routes)
        {
            if (FileSystemName.MatchesSimpleExpression(route.Pattern, model, ignoreCase: false))
            {
                return route;
            }
        }

        if (model == Demo || !(services.HasAnthropic || services.HasOpenAi))
        {
            return new ModelRoute("*", Demo);
        }

        return model.StartsWith("claude-", StringComparison.Ordinal)
            ? new ModelRoute("claude-*", Anthropic)
            : new ModelRoute("*", OpenAi);
    }

    private static string NotConfigured(string model, string service) =>
        $"No model service is set up for \"{model}\": set "
        + (service == Anthropic ? "ANTHROPIC_API_KEY" : "OPENAI_API_KEY or OPENAI_BASE_URL")
        + " and start the server again, or give the model a route to a service that is set up.";
}

/// <param name="Pattern">A model id in which <c>*</c> stands for any run of characters and <c>?</c> for one.</param>
/// <param name="Service"><c>anthropic</c>, <c>openai</c> or <c>demo</c>.</param>
/// <param name="Model">The name of the model at the service; null when it is the same.</param>
public sealed record ModelRoute(string Pattern, string Service, string? Model = null)
{
    /// <summary>Models to ask in order when this one's tries are used up; each is routed by its own id.</summary>
    public IReadOnlyList<string> Fallbacks { get; init; } = [];

    /// <summary>Whether the model sees pictures; one that does not is told that there is one.</summary>
    public bool SeesImages { get; init; } = true;

    /// <summary>Whether the service takes PDFs.</summary>
    public bool SeesDocuments { get; init; } = true;
}

/// <summary>The model services of this installation; null is a service or a setting that is not there.</summary>
public sealed record ModelServices
{
    public string? AnthropicApiKey { get; init; }

    /// <summary>A bearer token in place of the key.</summary>
    public string? AnthropicAuthToken { get; init; }

    /// <summary>Without <c>/v1</c>; null is Anthropic's own.</summary>
    public string? AnthropicBaseUrl { get; init; }

    public string? OpenAiApiKey { get; init; }

    /// <summary>With <c>/v1</c>; null is OpenAI's own.</summary>
    public string? OpenAiBaseUrl { get; init; }

    /// <summary>Routes that win over the default ones; the first that matches counts.</summary>
    public IReadOnlyList<ModelRoute> Routes { get; init; } = [];

    public bool HasAnthropic => AnthropicApiKey is not null || AnthropicAuthToken is not null;

    public bool HasOpenAi => OpenAiApiKey is not null || OpenAiBaseUrl is not null;

    /// <summary>Reads the variables that the official SDKs read.</summary>
    public static ModelServices Read(Func<string, string?> variable)
    {
        return new ModelServices
        {
            AnthropicApiKey = Value("ANTHROPIC_API_KEY"),
            AnthropicAuthToken = Value("ANTHROPIC_AUTH_TOKEN"),
            AnthropicBaseUrl = Value("ANTHROPIC_BASE_URL"),
            OpenAiApiKey = Value("OPENAI_API_KEY"),
            OpenAiBaseUrl = Value("OPENAI_BASE_URL"),
        };

        string? Value(string name) => variable(name) is { Length: > 0 } value ? value : null;
    }

    /// <summary>Without the secrets, so that printing a configuration shows none.</summary>
    public override string ToString() =>
        $"ModelServices(anthropic: {HasAnthropic}, openai: {HasOpenAi}, routes: {Routes.Count})";
}
