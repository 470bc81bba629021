using System.Collections.Concurrent;

namespace Tenon.Conformance.Support;

/// <summary>
/// An HTTP client that remembers what it sends, to see what an SDK requests and whether it repeats it.
/// </summary>
public sealed class RequestCounter : IDisposable
{
    private readonly Recording _recording = new();

    public RequestCounter() => Http = new HttpClient(_recording);

    public HttpClient Http { get; }

    public int Requests => _recording.Sent.Count;

    /// <summary>Method and path of every request, in the order in which they left.</summary>
    public IReadOnlyCollection<string> Sent => _recording.Sent;

    public void Dispose() => Http.Dispose();

    private sealed class Recording() : DelegatingHandler(new SocketsHttpHandler())
    {
        public ConcurrentQueue<string> Sent { get; } = new();

        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Sent.Enqueue($"{request.Method} {request.RequestUri!.AbsolutePath}");
            return base.SendAsync(request, cancellationToken);
        }
    }
}
