using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Tenon.Server.Tests.Support;

/// <summary>A web host on an address of loopback, which serves what a test wrote for each path.</summary>
public sealed class PageHost : IAsyncDisposable
{
    /// <summary>Not the address that everything else on this machine listens on.</summary>
    public static readonly IPAddress Address = IPAddress.Parse("127.0.0.2");

    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<string, RequestDelegate> _pages = new();
    private readonly ConcurrentQueue<PageRequest> _requests = new();

    public PageHost()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://{Address}:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestLineSize = 64 * 1024);
        _app = builder.Build();
        _app.Run(Serve);
        _app.Start();
        Port = new Uri(_app.Urls.Single()).Port;
    }

    public int Port { get; }

    public IReadOnlyList<PageRequest> Requests => [.. _requests];

    /// <summary>The address of a path under a name that leads here.</summary>
    public string Url(string path, string name = "site.test") => $"http://{name}:{Port}{path}";

    public PageHost Page(string path, RequestDelegate serve)
    {
        _pages[path] = serve;
        return this;
    }

    public PageHost Page(string path, string contentType, byte[] body) => Page(path, async http =>
    {
        http.Response.ContentType = contentType;
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    });

    public PageHost Page(string path, string contentType, string body) =>
        Page(path, contentType, System.Text.Encoding.UTF8.GetBytes(body));

    public PageHost Redirect(string path, string to) => Page(path, http =>
    {
        http.Response.StatusCode = 302;
        http.Response.Headers.Location = to;
        return Task.CompletedTask;
    });

    /// <summary>Sends the beginning of an answer, or nothing of it, and then no more until the client goes.</summary>
    /// <returns>What completes when the request is there, and when its client has gone.</returns>
    public (Task Came, Task Left) Hang(string path, string? beginning = null)
    {
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Page(path, async http =>
        {
            if (beginning is not null)
            {
                http.Response.ContentType = "text/html";
                await http.Response.WriteAsync(beginning, http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
            }

            came.TrySetResult();
            using var either = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _stopping.Token);
            await new TaskCompletionSource().Task.WaitAsync(either.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            left.TrySetResult();
            http.Abort();
        });
        return (came.Task, left.Task);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _app.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task Serve(HttpContext http)
    {
        using var body = new StreamReader(http.Request.Body);
        _requests.Enqueue(new PageRequest(
            http.Request.Method, http.Request.Path + http.Request.QueryString, await body.ReadToEndAsync(),
            http.Request.Headers.ToDictionary(
                header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
        if (_pages.TryGetValue(http.Request.Path, out var serve))
        {
            await serve(http);
        }
        else
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }
}

public sealed record PageRequest(
    string Method, string Target, string Body, IReadOnlyDictionary<string, string> Headers);
