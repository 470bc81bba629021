using System.Net.ServerSentEvents;
using System.Text.Json;

namespace Tenon.Conformance.Support;

/// <summary>A stream over plain HTTP, for the frames' own ids, which the SDKs do not show.</summary>
public sealed class RawStream : IAsyncDisposable
{
    private static readonly TimeSpan TurnTime = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _deadline =
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private readonly HttpResponseMessage _response;
    private readonly IAsyncEnumerator<SseItem<string>> _frames;

    private RawStream(HttpResponseMessage response, Stream body)
    {
        _response = response;
        _deadline.CancelAfter(TurnTime);
        _frames = SseParser.Create(body).EnumerateAsync(_deadline.Token).GetAsyncEnumerator(_deadline.Token);
    }

    public HttpResponseMessage Response => _response;

    /// <param name="lastEventId">Resumes after this frame; null opens at the present.</param>
    public static async Task<RawStream> Open(HttpClient http, string path, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        var cancellation = TestContext.Current.CancellationToken;
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        response.EnsureSuccessStatusCode();
        return new RawStream(response, await response.Content.ReadAsStreamAsync(cancellation));
    }

    public async Task<List<Frame>> ReadTo(string type)
    {
        var read = new List<Frame>();
        while (await _frames.MoveNextAsync())
        {
            var item = _frames.Current;
            read.Add(new Frame(item.EventId, item.EventType, JsonElement.Parse(item.Data)));
            if (item.EventType == type)
            {
                return read;
            }
        }

        throw new InvalidOperationException($"The stream ended before {type}.");
    }

    public async ValueTask DisposeAsync()
    {
        await _frames.DisposeAsync();
        _response.Dispose();
        _deadline.Dispose();
    }
}

/// <param name="Id">The stream's own id, for <c>Last-Event-ID</c>.</param>
public sealed record Frame(string? Id, string Name, JsonElement Data);
