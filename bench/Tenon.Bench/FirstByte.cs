using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Text;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>
/// Time to the first piece of the model's answer, straight from the service and through Tenon: by turns, in one run.
/// </summary>
internal static class FirstByte
{
    private const int WarmUps = 50;
    private const int Samples = 300;

    private const string Body =
        """{"model":"claude-opus-4-8","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"go"}]}""";

    public static async Task Run()
    {
        await using var server = await BenchServer.Start(_ => Reply.Text("hello ", "world"));
        var body = await server.NewAgent();
        var bare = new Figures("first byte, straight from the model service");
        var through = new Figures("first byte, through Tenon");
        using var direct = new HttpClient { BaseAddress = new Uri(server.Model.Url) };
        for (var i = 0; i < WarmUps + Samples; i++)
        {
            var (a, b) = (await Bare(direct), await Through(server, await server.NewSession(body)));
            if (i >= WarmUps)
            {
                bare.Add(a);
                through.Add(b);
            }
        }

        Console.WriteLine(bare);
        Console.WriteLine(through);
        Console.WriteLine($"{"added by Tenon",-44} p50 {through.P50 - bare.P50,7:0.00} ms");
    }

    private static async Task<TimeSpan> Bare(HttpClient client)
    {
        var start = Stopwatch.GetTimestamp();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/messages");
        request.Content = new StringContent(Body, Encoding.UTF8, "application/json");
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var body = await response.Content.ReadAsStreamAsync();
        await using var items = SseParser.Create(body).EnumerateAsync().GetAsyncEnumerator();
        await BenchServer.Until(items, "content_block_delta");
        var elapsed = Stopwatch.GetElapsedTime(start);
        await BenchServer.Until(items, "message_stop");
        return elapsed;
    }

    /// <summary>A session's second turn: its owner is there, and the request is about as small.</summary>
    private static async Task<TimeSpan> Through(BenchServer server, string session)
    {
        await using var stream = await server.Stream(session);
        await server.Send(session);
        await BenchServer.Until(stream, "session.status_idle");

        var start = Stopwatch.GetTimestamp();
        await server.Send(session);
        await BenchServer.Until(stream, "event_delta");
        var elapsed = Stopwatch.GetElapsedTime(start);
        await BenchServer.Until(stream, "session.status_idle");
        return elapsed;
    }
}
