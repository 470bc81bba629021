using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>Whole turns: text by many sessions at once, and one with a command in a warm sandbox.</summary>
internal static class Turns
{
    private const int Rounds = 5;
    private const int WarmUpsEach = 20;
    private const int ToolTurns = 200;
    private const int ToolWarmUps = 200;

    /// <summary>Sessions at once, the turns of each in a round, and the turns a second to reach.</summary>
    private static readonly (int Sessions, int TurnsEach, double? Reach)[] Loads =
        [(1, 200, null), (64, 25, 1_000), (256, 6, null)];

    public static async Task Text(BenchRun run)
    {
        await using var server = await run.StartServer(_ => Reply.Text("hello ", "world"));
        using var direct = new ModelCall(server.Model.Url);
        var body = await server.NewAgent();
        var talks = await Task.WhenAll(Enumerable.Range(0, Loads.Max(load => load.Sessions))
            .Select(_ => Talk.Open(server, body)));
        var rates = Loads.ToDictionary(load => load, _ => new List<(double Through, double Bare)>());
        await Rate(talks.Length, WarmUpsEach, i => talks[i].Turn());
        await Rate(talks.Length, WarmUpsEach, _ => direct.FirstPiece());
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var load in Loads)
            {
                var through = await Rate(load.Sessions, load.TurnsEach, i => talks[i].Turn());
                rates[load].Add((through, await Rate(load.Sessions, load.TurnsEach, _ => direct.FirstPiece())));
            }
        }

        foreach (var (load, pairs) in rates)
        {
            run.Add(new Measure
            {
                Name = "text-turns", What = $"text turns, {load.Sessions} at once", Unit = "a second",
                Here = Figures.Median(pairs.Select(pair => pair.Through)), Reach = load.Reach, MoreIsBetter = true,
                Floor = Figures.Median(pairs.Select(pair => pair.Bare)), FloorIs = "straight to the model service",
                Ratio = Figures.Median(pairs.Select(pair => pair.Through / pair.Bare)),
            });
        }
    }

    public static async Task Tool(BenchRun run)
    {
        await using var server = await run.StartServer(Answer);
        using var direct = new ModelCall(server.Model.Url);
        var talk = await Talk.Open(server, await server.NewAgent());
        var (through, floor) = (new Figures("two model requests and a `bash echo`"), new Figures("floor"));
        for (var i = 0; i < ToolWarmUps + ToolTurns; i++)
        {
            var (turn, bare) = (await Time(talk.Turn), await Time(() => WithoutTenon(direct)));
            if (i >= ToolWarmUps)
            {
                through.Add(turn);
                floor.Add(bare);
            }
        }

        run.Add(new Measure
        {
            Name = "tool-turn", What = "two model requests and a `bash echo`, p50",
            Here = through.P50, Unit = "ms", Reach = 15,
            Floor = floor.P50, FloorIs = "both requests and `bash -c echo`, bare", Ratio = through.P50 / floor.P50,
        });
        run.Add("tool-turn", through, 0.99);
    }

    /// <summary>Units of work a second by so many at once.</summary>
    private static async Task<double> Rate(int atOnce, int each, Func<int, Task> work)
    {
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(i => Task.Run(async () =>
        {
            for (var turn = 0; turn < each; turn++)
            {
                await work(i);
            }
        })));
        return atOnce * each / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<TimeSpan> Time(Func<Task> work)
    {
        var start = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(start);
    }

    private static async Task WithoutTenon(ModelCall direct)
    {
        await direct.FirstPiece();
        using var process = Process.Start(new ProcessStartInfo("bash", ["-c", "echo hi"])
        {
            RedirectStandardOutput = true,
        })!;
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        await direct.FirstPiece();
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
}

/// <summary>A session and a stream of it that stays open.</summary>
internal sealed class Talk(BenchServer server, string session, IAsyncEnumerator<SseItem<string>> stream)
{
    public string Session => session;

    public static async Task<Talk> Open(BenchServer server, string body)
    {
        var session = await server.NewSession(body);
        return new Talk(server, session, await server.Stream(session));
    }

    /// <summary>A message, and all that follows it.</summary>
    public async Task Turn()
    {
        await server.Send(session);
        await BenchServer.Until(stream, "session.status_idle");
    }
}
