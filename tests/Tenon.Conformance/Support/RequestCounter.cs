namespace Tenon.Conformance.Support;

/// <summary>An HTTP client that counts what it sends, to see whether an SDK repeats a request.</summary>
public sealed class RequestCounter : IDisposable
{
    private readonly Counting _counting = new();

    public RequestCounter() => Http = new HttpClient(_counting);

    public HttpClient Http { get; }

    public int Requests => _counting.Requests;

    public void Dispose() => Http.Dispose();

    private sealed class Counting() : DelegatingHandler(new SocketsHttpHandler())
    {
        private int _requests;

        public int Requests => _requests;

        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _requests);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
