using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Text;

namespace Tenon.Bench;

/// <summary>The same call straight to the scripted model service: the floor of whatever asks a model.</summary>
internal sealed class ModelCall(string url) : IDisposable
{
    private const string Body =
        """
        {"model":"claude-opus-4-8","max_tokens":100,"stream":true,
        "messages":[{"role":"user","content":[{"type":"text","text":"go"}]}]}
        """;

    private readonly HttpClient _client = new() { BaseAddress = new Uri(url) };

    /// <summary>Reads an answer to its end, and returns how long its first piece took.</summary>
    public async Task<TimeSpan> FirstPiece()
    {
        var start = Stopwatch.GetTimestamp();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/messages");
        request.Content = new StringContent(Body, Encoding.UTF8, "application/json");
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var body = await response.Content.ReadAsStreamAsync();
        await using var items = SseParser.Create(body).EnumerateAsync().GetAsyncEnumerator();
        await BenchServer.Until(items, "content_block_delta");
        var elapsed = Stopwatch.GetElapsedTime(start);
        await BenchServer.Until(items, "message_stop");
        return elapsed;
    }

    public void Dispose() => _client.Dispose();
}
