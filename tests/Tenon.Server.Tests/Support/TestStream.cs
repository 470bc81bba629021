using System.Net.ServerSentEvents;
using System.Text.Json;
using Xunit;

namespace Tenon.Server.Tests.Support;

/// <summary>One frame of a stream. <paramref name="Id"/> is null for previews.</summary>
public sealed record StreamEvent(string? Id, string Name, JsonElement Json)
{
    public string EventId => Json.Text("id");
}

/// <summary>An open stream of a session's events.</summary>
public sealed class TestStream : IAsyncDisposable
{
    /// <summary>Far above what any wait here takes: it turns a test that would hang into one that fails.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HttpResponseMessage _response;
    private readonly IAsyncEnumerator<SseItem<string>> _items;
    private readonly CancellationTokenSource _patience;

    private TestStream(
        HttpResponseMessage response, IAsyncEnumerator<SseItem<string>> items, CancellationTokenSource patience) =>
        (_response, _items, _patience) = (response, items, patience);

    public HttpResponseMessage Response => _response;

    public static async Task<TestStream> Open(HttpClient client, string path, string? lastEventId = null)
    {
        var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        if (!response.IsSuccessStatusCode)
        {
            Assert.Fail($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(patience.Token)}");
        }

        var body = await response.Content.ReadAsStreamAsync(patience.Token);
        var items = SseParser.Create(body).EnumerateAsync(patience.Token).GetAsyncEnumerator(patience.Token);
        return new TestStream(response, items, patience);
    }

    /// <summary>The next frame; null when the server has closed the stream.</summary>
    public async Task<StreamEvent?> Next()
    {
        if (!await _items.MoveNextAsync())
        {
            return null;
        }

        var item = _items.Current;
        return new StreamEvent(item.EventId, item.EventType, JsonElement.Parse(item.Data));
    }

    /// <summary>The frames up to and with the first one of this name.</summary>
    public async Task<IReadOnlyList<StreamEvent>> Until(string name)
    {
        var events = new List<StreamEvent>();
        while (events is [] || events[^1].Name != name)
        {
            events.Add(await Next() ?? throw new EndOfStreamException(
                $"The stream ended before {name}, after: {string.Join(' ', events.Select(@event => @event.Name))}"));
        }

        return events;
    }

    /// <summary>Every frame that is left until the server closes the stream.</summary>
    public async Task<IReadOnlyList<StreamEvent>> Rest()
    {
        var events = new List<StreamEvent>();
        while (await Next() is { } next)
        {
            events.Add(next);
        }

        return events;
    }

    public async ValueTask DisposeAsync()
    {
        // The response first: the enumerator would otherwise wait for a frame that never comes.
        _response.Dispose();
        await _items.DisposeAsync();
        _patience.Dispose();
    }
}
