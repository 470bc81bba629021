using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Tenon.Bench;

/// <summary>A host on loopback with a small answer and a large one, by plain HTTP or by TLS.</summary>
internal sealed class EgressHost : IAsyncDisposable
{
    private const int PieceBytes = 64 * 1024;

    private readonly WebApplication _app;

    private EgressHost(WebApplication app) => _app = app;

    public int Port => new Uri(_app.Urls.Single()).Port;

    public static async Task<EgressHost> Start(long largeBytes, X509Certificate2? certificate)
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
        var words = new byte[PieceBytes];
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = (byte)"A download of plain words, as most are. "[i % 40];
        }

        app.MapGet("/small", () => "a small answer");
        app.MapGet("/large", async (HttpResponse response, CancellationToken cancelled) =>
        {
            response.ContentLength = largeBytes;
            for (var left = largeBytes; left > 0; left -= PieceBytes)
            {
                await response.Body.WriteAsync(words, cancelled);
            }
        });
        await app.StartAsync();
        return new EgressHost(app);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
