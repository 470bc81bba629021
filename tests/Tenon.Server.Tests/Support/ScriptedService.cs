using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// A model service on loopback that answers from a script: real Kestrel, real server-sent events, nothing else. It
/// knows no provider; <see cref="AnthropicService"/> and <see cref="OpenAiService"/> bring their path and format.
/// </summary>
public sealed class ScriptedService : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly IReplyFormat format;
    private readonly ConcurrentQueue<Reply> script = [];
    private readonly ConcurrentQueue<ServiceRequest> requests = [];
    private readonly Channel<ServiceRequest> arrivals = Channel.CreateUnbounded<ServiceRequest>();
    private readonly Channel<bool> abandoned = Channel.CreateUnbounded<bool>();
    private readonly CancellationTokenSource stopping = new();

    public ScriptedService(IReplyFormat format)
    {
        this.format = format;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        app = builder.Build();
        app.MapPost(format.Path, Answer);
        app.Start();
        Url = app.Urls.Single();
    }

    /// <summary>The address with no path and no slash at its end.</summary>
    public string Url { get; }

    /// <summary>False forgets requests at once, for runs whose memory is measured.</summary>
    public bool KeepsRequests { get; set; } = true;

    /// <summary>Every request so far, oldest first.</summary>
    public IReadOnlyList<ServiceRequest> Requests => [.. requests];

    /// <summary>Decides by the request's body when nothing is queued.</summary>
    public Func<JsonElement, Reply>? Responder { get; set; }

    public void Enqueue(params Reply[] replies)
    {
        foreach (var reply in replies)
        {
            script.Enqueue(reply);
        }
    }

    /// <summary>The next request that nobody has waited for yet.</summary>
    public ValueTask<ServiceRequest> Received(CancellationToken cancellationToken) =>
        arrivals.Reader.ReadAsync(cancellationToken);

    /// <summary>Completes when a client has hung up on an answer that hangs, once for each of them.</summary>
    public async Task Abandoned(CancellationToken cancellationToken) =>
        await abandoned.Reader.ReadAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync(); // lets go of the answers that hang
        await app.DisposeAsync();
        stopping.Dispose();
    }

    private async Task Answer(HttpContext http)
    {
        var body = await JsonSerializer.DeserializeAsync<JsonElement>(
            http.Request.Body, cancellationToken: http.RequestAborted);
        if (KeepsRequests)
        {
            var request = new ServiceRequest(body, http.Request.Headers.ToDictionary(
                header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase));
            requests.Enqueue(request);
            arrivals.Writer.TryWrite(request);
        }

        var reply = script.TryDequeue(out var next) ? next
            : Responder?.Invoke(body) ?? Reply.Error(StatusCodes.Status500InternalServerError, "empty_script");
        if (reply is { Failure: { } failure, Blocks: [] })
        {
            await Fail(http, failure);
        }
        else
        {
            await Stream(http, body, reply);
        }
    }

    private async Task Fail(HttpContext http, ReplyError failure)
    {
        http.Response.StatusCode = failure.Status;
        http.Response.ContentType = "application/json";
        foreach (var (name, value) in failure.Headers)
        {
            http.Response.Headers[name] = value;
        }

        await http.Response.WriteAsync(format.Error(failure), http.RequestAborted);
    }

    private async Task Stream(HttpContext http, JsonElement body, Reply reply)
    {
        var frames = format.Frames(reply, body);
        if (reply is not { Ending: ReplyEnding.Hang, Blocks: [ReplyText { Fragments: [] }] })
        {
            http.Response.ContentType = "text/event-stream";
            // One write, so that a reader who has seen the last event has had every byte.
            foreach (var frame in reply.Gate is null ? [string.Concat(frames)] : frames)
            {
                await (reply.Gate?.Invoke(frame) ?? Task.CompletedTask);
                await http.Response.WriteAsync(frame, http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
            }
        }

        switch (reply.Ending)
        {
            case ReplyEnding.Cut:
                http.Abort();
                break;
            case ReplyEnding.Hang:
                await Hang(http);
                break;
        }
    }

    private async Task Hang(HttpContext http)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping.Token);
        var ended = new TaskCompletionSource();
        await using var registration = over.Token.Register(ended.SetResult);
        await ended.Task;
        abandoned.Writer.TryWrite(true);
        http.Abort();
    }
}

/// <summary>A request as the service got it. Header names match in any case.</summary>
public sealed record ServiceRequest(JsonElement Body, IReadOnlyDictionary<string, string> Headers);

/// <summary>How a provider puts a reply on the wire.</summary>
public interface IReplyFormat
{
    /// <summary>The one path that is served, with POST.</summary>
    string Path { get; }

    /// <summary>The server-sent events of the reply, as far as its ending lets them come.</summary>
    IEnumerable<string> Frames(Reply reply, JsonElement request);

    /// <summary>The body of a failure.</summary>
    string Error(ReplyError failure);
}
