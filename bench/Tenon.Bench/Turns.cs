using System.Diagnostics;
using System.Text.Json;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>Whole turns: text by many sessions at once, and one with a command in a warm sandbox.</summary>
internal static class Turns
{
    private const int Sessions = 64;
    private const int TurnsEach = 300;
    private const int ToolTurns = 150;
    private const int WarmUps = 20;

    public static async Task Text()
    {
        await using var server = await BenchServer.Start(_ => Reply.Text("hello ", "world"));
        var body = await server.NewAgent();
        var sessions = await Task.WhenAll(Enumerable.Range(0, Sessions).Select(_ => server.NewSession(body)));
        await Task.WhenAll(sessions.Select(session => Run(server, session, 20, null)));

        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(sessions.Select(session => Run(server, session, TurnsEach, null)));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var rate = Sessions * TurnsEach / seconds;
        Console.WriteLine($"{$"text turns, {Sessions} sessions at once",-44} {rate,7:0} turns a second");
    }

    public static async Task Tool()
    {
        await using var server = await BenchServer.Start(Answer);
        var session = await server.NewSession(await server.NewAgent());
        await Run(server, session, WarmUps, null);
        var figures = new Figures("tool turn (two model requests, bash echo)");
        await Run(server, session, ToolTurns, figures);
        Console.WriteLine(figures);
    }

    /// <summary>A call when the user spoke last, a word when a tool did.</summary>
    private static Reply Answer(JsonElement request)
    {
        var message = request.GetProperty("messages").EnumerateArray().Last();
        var last = message.GetProperty("content").EnumerateArray().Last();
        return last.GetProperty("type").GetString() == "tool_result"
            ? Reply.Text("done")
            : Reply.ToolUse("bash", new { command = "echo hi" });
    }

    private static async Task Run(BenchServer server, string session, int turns, Figures? figures)
    {
        await using var stream = await server.Stream(session);
        for (var i = 0; i < turns; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await server.Send(session);
            await BenchServer.Until(stream, "session.status_idle");
            figures?.Add(Stopwatch.GetElapsedTime(start));
        }
    }
}
