using System.Runtime.CompilerServices;
using System.Text.Json;
using Anthropic;
using Anthropic.Core;
using Anthropic.Exceptions;
using Anthropic.Models.Messages;

namespace Tenon.Server.Models;

/// <summary>Claude, through the official SDK and the Messages API. Its request is <see cref="AnthropicRequest"/>,
/// its answer <see cref="AnthropicAnswer"/>.</summary>
public sealed class AnthropicModel : IModel
{
    /// <summary>Fast mode is still behind a beta header for some models.</summary>
    private const string FastModeBeta = "fast-mode-2026-02-01";

    private static readonly Dictionary<string, JsonElement> Nothing = [];

    private readonly AnthropicAccess access;
    private readonly ModelCatalog catalog;
    private readonly ServiceIdentity service;

    public AnthropicModel(AnthropicAccess access, ModelCatalog catalog, TimeProvider time)
    {
        this.access = access;
        this.catalog = catalog;
        service = new ServiceIdentity("Anthropic", access.ApiKey ?? access.AuthToken, time);
    }

    public IAsyncEnumerable<ModelChunk> Stream(ModelRequest request, CancellationToken cancellationToken) =>
        AnthropicRequest.Unsupported(request) is { } problem
            ? ServiceStream.Failed(ModelFaultKind.Rejected, problem)
            : ServiceStream.Guard(call => Ask(request, call), ReadError, service, cancellationToken);

    private async IAsyncEnumerable<ModelChunk> Ask(
        ModelRequest request, ServiceCall call, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var body = AnthropicRequest.Body(request, catalog.Find(request.Model));
        var headers = request.Speed == "fast" ? Header("anthropic-beta", FastModeBeta) : Nothing;
        var parameters = MessageCreateParams.FromRawUnchecked(headers, Nothing, body);
        var answer = new AnthropicAnswer();
        await foreach (var step in Client(call).Messages.CreateStreaming(parameters, cancellationToken))
        {
            if (answer.Take(step) is { } chunk)
            {
                yield return chunk;
            }

            if (answer.Stopped)
            {
                yield return new ModelChunk.Finished(answer.Finish());
                yield break;
            }
        }
    }

    // A client a call: it is a few small objects over the shared connections, and lets the call watch its own bytes.
    private AnthropicClient Client(ServiceCall call)
    {
        var options = new ClientOptions
        {
            HttpClient = call.Http,
            MaxRetries = 0, // the harness retries, and tells the client so
            Timeout = Timeout.InfiniteTimeSpan, // silence is the limit, not length
        };

        // The SDK takes one credential, sends either as a bearer token, and then looks for none in the environment.
        if (access.ApiKey is not null)
        {
            options.ApiKey = access.ApiKey;
        }
        else
        {
            options.AuthToken = access.AuthToken;
        }

        if (access.BaseUrl is { } url)
        {
            options.BaseUrl = url;
        }

        return new AnthropicClient(options);
    }

    private static ServiceError? ReadError(Exception exception) => exception switch
    {
        AnthropicApiException api => WithStatus(ServiceError.Parse((int)api.StatusCode, api.ResponseBody)),
        AnthropicSseException sse => WithStatus(ServiceError.Parse(0, EventData(sse.Message))),
        _ => null,
    };

    // The SDK keeps the event's data to itself, but quotes it in its message.
    private static string EventData(string message)
    {
        var start = message.IndexOf('{', StringComparison.Ordinal);
        var end = message.LastIndexOf('}');
        return start >= 0 && end > start ? message[start..(end + 1)] : "";
    }

    // The words are those of https://platform.claude.com/docs/en/api/errors. Inside a stream there is only the word.
    private static ServiceError WithStatus(ServiceError error)
    {
        if (error.Message?.Contains("credit balance is too low", StringComparison.OrdinalIgnoreCase) == true)
        {
            return error with { Status = 402 }; // an empty account is told with status 400
        }

        return error.Status != 0 ? error : error with
        {
            Status = error.Type switch
            {
                "invalid_request_error" => 400,
                "authentication_error" => 401,
                "billing_error" => 402,
                "permission_error" => 403,
                "not_found_error" => 404,
                "request_too_large" => 413,
                "rate_limit_error" => 429,
                "overloaded_error" => 529,
                _ => 500,
            },
        };
    }

    private static Dictionary<string, JsonElement> Header(string name, string value) =>
        new() { [name] = JsonSerializer.SerializeToElement(value) };
}

/// <summary>How to reach Anthropic: a key or a bearer token, and the base URL when it is not the public one.</summary>
public sealed record AnthropicAccess(string? ApiKey, string? AuthToken, string? BaseUrl)
{
    /// <summary>Without the secrets, so that printing a configuration shows none.</summary>
    public override string ToString() => $"AnthropicAccess({BaseUrl ?? "default"})";
}
