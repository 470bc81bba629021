using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Tenon.Server.Tests.Egress;

/// <summary>A host on loopback that keeps what it was asked, and tells it back in many ways.</summary>
internal sealed class EchoHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private EchoHost(WebApplication app) => _app = app;

    public int Port => new Uri(_app.Urls.Single()).Port;

    /// <summary>Every request: its line, head and body.</summary>
    public ConcurrentQueue<string> Got { get; } = new();

    /// <param name="certificate">Null for plain HTTP.</param>
    /// <param name="files">A folder that is served below <c>/files</c>.</param>
    public static async Task<EchoHost> Start(X509Certificate2? certificate, string? files = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (certificate is not null)
                {
                    listen.UseHttps(certificate);
                }
            }));
        var app = builder.Build();
        if (files is not null)
        {
            app.UseStaticFiles(new StaticFileOptions
            {
                FileProvider = new PhysicalFileProvider(files, Microsoft.Extensions.FileProviders.Physical
                    .ExclusionFilters.None),
                RequestPath = "/files", ServeUnknownFileTypes = true,
            });
        }

        var host = new EchoHost(app);
        app.Map("/echo/{*path}", host.Echo);
        app.MapGet("/form", (HttpRequest request) => Results.Text(string.Join(
            ' ', Uri.EscapeDataString(KeyOf(request)),
            Convert.ToBase64String(Encoding.UTF8.GetBytes("x" + KeyOf(request))),
            Convert.ToHexString(Encoding.UTF8.GetBytes(KeyOf(request))))));
        app.MapGet("/header", (HttpContext context) => context.Response.Headers["X-Key"] = KeyOf(context.Request));
        app.MapGet("/packed", Packed);
        app.MapGet("/slow", host.Slow);
        app.MapGet("/to", (string url) => Results.Redirect(url));
        await app.StartAsync();
        return host;
    }

    /// <summary>Lets the slow answer end.</summary>
    public void Release() => _release.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        Release();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static string KeyOf(HttpRequest request) => request.Headers["X-Key"].ToString();

    private async Task Echo(HttpContext context)
    {
        var (request, text) = (context.Request, new StringBuilder());
        text.Append($"{request.Method} {request.Path}{request.QueryString} {request.Protocol}\n");
        foreach (var (name, value) in request.Headers)
        {
            text.Append($"{name}: {value}\n");
        }

        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        text.Append('\n').Append(await reader.ReadToEndAsync(context.RequestAborted));
        Got.Enqueue(text.ToString());
        await context.Response.WriteAsync(text.ToString(), context.RequestAborted);
    }

    private static async Task Packed(HttpContext context)
    {
        context.Response.Headers.ContentEncoding = "gzip";
        await using var packed = new GZipStream(context.Response.Body, CompressionLevel.Fastest);
        await packed.WriteAsync(Encoding.UTF8.GetBytes(KeyOf(context.Request)), context.RequestAborted);
    }

    /// <summary>Half of the key, and once it is released the other half.</summary>
    private async Task Slow(HttpContext context)
    {
        var key = KeyOf(context.Request);
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync($"data: first\n\ndata: {key[..5]}", context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
        await _release.Task.WaitAsync(context.RequestAborted);
        await context.Response.WriteAsync($"{key[5..]}\n\n", context.RequestAborted);
    }
}
