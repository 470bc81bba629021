using System.Globalization;
using Tenon.Server.Storage;

namespace Tenon.Server.Models;

/// <summary>
/// One HTTP request to a model service, seen from below the provider's SDK: it cuts a connection on which no byte
/// comes, and keeps the <c>retry-after</c> that an SDK's exception may drop.
/// </summary>
/// <remarks>
/// It watches bytes and not parsed events, because a service that thinks for minutes sends pings, which SDKs swallow.
/// </remarks>
internal sealed class ServiceCall : IDisposable
{
    /// <summary>
    /// Services ping every few seconds, so a minute without a byte means that nobody is there any more.
    /// </summary>
    public static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(60);

    /// <summary>Long enough for one network to be changed under us; short enough to follow a service's DNS.</summary>
    private static readonly TimeSpan ConnectionLifetimeMax = TimeSpan.FromMinutes(5);

    // One pool for all calls and services: a new connection costs a TLS handshake before the first token.
    private static readonly SocketsHttpHandler Connections = new()
    {
        PooledConnectionLifetime = ConnectionLifetimeMax,
        AutomaticDecompression = System.Net.DecompressionMethods.None,
        AllowAutoRedirect = false, // a redirect would carry the key to another host
    };

    private readonly TimeProvider time;
    private readonly CancellationTokenSource silence;
    private readonly CancellationTokenSource either;

    public ServiceCall(TimeProvider time, CancellationToken cancellationToken)
    {
        this.time = time;
        silence = new CancellationTokenSource(SilenceMax, time);
        either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
        Http = new HttpClient(new WatchedHandler(this), disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>The client to give to the SDK. Its only time limit is the silence watchdog.</summary>
    public HttpClient Http { get; }

    /// <summary>Cancelled by the caller or by silence.</summary>
    public CancellationToken Token => either.Token;

    public bool WentSilent => silence.IsCancellationRequested;

    /// <summary>How long the service asked to wait, or null.</summary>
    public TimeSpan? RetryAfter { get; private set; }

    public void Dispose()
    {
        Http.Dispose();
        either.Dispose();
        silence.Dispose();
    }

    private void Heard()
    {
        if (!silence.IsCancellationRequested)
        {
            silence.CancelAfter(SilenceMax);
        }
    }

    private TimeSpan? ReadRetryAfter(HttpResponseMessage response)
    {
        if (response.Headers.TryGetValues("retry-after-ms", out var values)
            && double.TryParse(values.First(), NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds is >= 0 and < int.MaxValue)
        {
            return TimeSpan.FromMilliseconds(milliseconds);
        }

        var header = response.Headers.RetryAfter;
        var wait = header?.Delta ?? (header?.Date - time.GetUtcNow());
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private sealed class WatchedHandler(ServiceCall call) : DelegatingHandler(Connections)
    {
        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            call.Heard();
            call.RetryAfter = call.ReadRetryAfter(response);

            var content = response.Content;
            var watched = new StreamContent(
                new WatchedStream(await content.ReadAsStreamAsync(cancellationToken), call));
            foreach (var header in content.Headers)
            {
                watched.Headers.TryAddWithoutValidation(header.Key, header.Value);
            }

            response.Content = watched;
            return response;
        }
    }

    /// <summary>A response body that reports every byte that comes.</summary>
    private sealed class WatchedStream(Stream body, ServiceCall call) : ForwardStream
    {
        public override int Read(byte[] buffer, int offset, int count) => Report(body.Read(buffer, offset, count));

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            // The call's own token is added here because not every SDK hands its token down to the body.
            if (cancellationToken.CanBeCanceled && cancellationToken != call.Token)
            {
                using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, call.Token);
                return Report(await body.ReadAsync(buffer, both.Token));
            }

            return Report(await body.ReadAsync(buffer, call.Token));
        }

        public override Task<int> ReadAsync(
            byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                body.Dispose();
            }

            base.Dispose(disposing);
        }

        private int Report(int count)
        {
            if (count > 0)
            {
                call.Heard();
            }

            return count;
        }
    }
}
