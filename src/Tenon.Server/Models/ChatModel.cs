using System.ClientModel;
using System.ClientModel.Primitives;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Chat;

namespace Tenon.Server.Models;

/// <summary>Any service that speaks chat completions (OpenAI, Azure, Ollama, vLLM, Gemini …), by its base URL.
/// Its request is <see cref="ChatRequest"/>, its answer <see cref="ChatAnswer"/>.</summary>
public sealed class ChatModel : IModel
{
    /// <summary>Local services want no key, but the SDK does not build a client without one.</summary>
    private const string NoKey = "none";

    private readonly ChatAccess access;
    private readonly ServiceIdentity service;

    public ChatModel(ChatAccess access, TimeProvider time)
    {
        this.access = access;
        service = new ServiceIdentity("The model service", access.ApiKey, time);
    }

    public IAsyncEnumerable<ModelChunk> Stream(ModelRequest request, CancellationToken cancellationToken) =>
        ChatRequest.Unsupported(request) is { } problem
            ? ServiceStream.Failed(ModelFaultKind.Rejected, problem)
            : ServiceStream.Guard(call => Ask(request, call), ReadError, service, cancellationToken);

    private async IAsyncEnumerable<ModelChunk> Ask(
        ModelRequest request, ServiceCall call, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var client = Client(request.Model, call);
        var answer = new ChatAnswer();
        var updates = client.GetStreamingResponseAsync(
            ChatRequest.Messages(request), ChatRequest.Options(request), cancellationToken);
        await foreach (var update in updates)
        {
            foreach (var content in update.Contents)
            {
                if (answer.Take(content) is { } chunk)
                {
                    yield return chunk;
                }
            }

            answer.Take(update.FinishReason);
            // The abstraction has no place for a refusal that streams, so it is read from the SDK's own update.
            answer.Refuse((update.RawRepresentation as StreamingChatCompletionUpdate)?.RefusalUpdate);
        }

        // Without a finish reason the stream was cut, however politely.
        if (answer.IsWhole)
        {
            yield return new ModelChunk.Finished(answer.Finish());
        }
    }

    // A client a call: it is a few small objects over the shared connections, and lets the call watch its own bytes.
    private IChatClient Client(string model, ServiceCall call)
    {
        var options = new OpenAIClientOptions
        {
            Transport = new HttpClientPipelineTransport(call.Http),
            RetryPolicy = new ClientRetryPolicy(maxRetries: 0), // the harness retries, and tells the client so
            NetworkTimeout = Timeout.InfiniteTimeSpan, // silence is the limit, not length
        };
        if (access.BaseUrl is { } url)
        {
            options.Endpoint = new Uri(url);
        }

        var key = string.IsNullOrEmpty(access.ApiKey) ? NoKey : access.ApiKey;
        return new ChatClient(model, new ApiKeyCredential(key), options).AsIChatClient();
    }

    private static ServiceError? ReadError(Exception exception)
    {
        if (exception is not ClientResultException { Status: > 0 } answered)
        {
            return null;
        }

        var error = ServiceError.Parse(answered.Status, answered.GetRawResponse()?.Content.ToString());
        // An empty account is told with status 429, but waiting does not fill it.
        return error.Type == "insufficient_quota" ? error with { Status = 402 } : error;
    }
}

/// <summary>How to reach the service: its key, which local services do not want, and its base URL with the
/// <c>/v1</c>; null is OpenAI's own.</summary>
public sealed record ChatAccess(string? ApiKey, string? BaseUrl)
{
    /// <summary>Without the secret, so that printing a configuration shows none.</summary>
    public override string ToString() => $"ChatAccess({BaseUrl ?? "default"})";
}
