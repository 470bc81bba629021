using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using System.Globalization;
using Tenon.Server.Events;

namespace Tenon.Server.Tests.Support;

/// <summary>Serves a <see cref="LogLab"/>'s sessions as streams, over a real socket and by the lab's clock.</summary>
public sealed class StreamHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private StreamHost(WebApplication app) =>
        (_app, Client) = (app, new HttpClient { BaseAddress = new Uri(app.Urls.Single()) });

    public HttpClient Client { get; }

    public static async Task<StreamHost> Start(LogLab lab)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.MapGet("/{session}", (string session, HttpRequest request) =>
        {
            var last = request.Headers["Last-Event-ID"].ToString();
            return new EventStream(lab.Log, lab.Feed, lab.Clock, session)
            {
                Thread = "sthr_1",
                After = last.Length > 0 ? long.Parse(last, CultureInfo.InvariantCulture) : null,
                PreviewTypes = request.Query["previews"].OfType<string>().ToHashSet(),
            };
        });
        await app.StartAsync();
        return new StreamHost(app);
    }

    public Task<TestStream> Open(string session, string? lastEventId = null, string previews = "") =>
        TestStream.Open(Client, $"/{session}{(previews.Length > 0 ? $"?previews={previews}" : "")}", lastEventId);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
