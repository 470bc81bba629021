using System.Diagnostics;
using System.Text.Json;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>
/// Whole turns: text by many sessions at once, and one with a command in a warm sandbox. No session gets old, for its
/// model is sent all that was said before.
/// </summary>
internal static class Turns
{
    private const int Rounds = 4;
    private const int TurnsEach = 10;
    private const int ToolSessions = 20;
    private const int ToolWarmUps = 20;

    /// <summary>Sessions at once, sessions in all in a round, and the turns a second to reach.</summary>
    private static readonly (int AtOnce, int Sessions, double? Reach)[] Loads =
        [(1, 20, null), (64, 128, 1_000), (256, 256, null)];

    public static async Task Text(BenchRun run)
    {
        await using var server = await run.StartServer(_ => Reply.Text("hello ", "world"));
        using var direct = new ModelCall(server.Model.Url);
        var body = await server.NewAgent();
        var rates = Loads.ToDictionary(load => load, _ => new List<(double Through, double Bare)>());
        for (var round = 0; round <= Rounds; round++)
        {
            foreach (var load in Loads)
            {
                await using var talks = await Talks.Open(server, body, load.Sessions);
                var through = await Rate(load.AtOnce, load.Sessions, i => talks[i].Turn());
                rates[load].Add((through, await Rate(load.AtOnce, load.Sessions, _ => direct.FirstPiece())));
            }
        }

        foreach (var (load, pairs) in rates)
        {
            pairs.RemoveAt(0); // It warmed both up.
            run.Add(new Measure
            {
                Name = "text-turns", What = $"text turns, {load.AtOnce} at once", Unit = "a second",
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
        var body = await server.NewAgent();
        var (through, floor) = (new Figures("two model requests and a `bash echo`"), new Figures("floor"));
        for (var session = 0; session < ToolWarmUps + ToolSessions; session++)
        {
            await using var talks = await Talks.Open(server, body, 1);
            for (var i = 0; i < TurnsEach; i++)
            {
                var (turn, bare) = (await Time(talks[0].Turn), await Time(() => WithoutTenon(direct)));
                if (session >= ToolWarmUps)
                {
                    through.Add(turn);
                    floor.Add(bare);
                }
            }
        }

        run.Add(new Measure
        {
            Name = "tool-turn", What = $"{through.Name}, p50", Here = through.P50, Unit = "ms", Reach = 15,
            Floor = floor.P50, FloorIs = "both requests and `bash -c echo`, bare", Ratio = through.P50 / floor.P50,
        });
        run.Add("tool-turn", through, 0.99);
    }

    /// <summary>Units of work a second, ten by each session.</summary>
    private static async Task<double> Rate(int atOnce, int sessions, Func<int, Task> work)
    {
        var start = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, sessions), new ParallelOptions { MaxDegreeOfParallelism = atOnce },
            async (i, _) =>
            {
                for (var turn = 0; turn < TurnsEach; turn++)
                {
                    await work(i);
                }
            });
        return sessions * TurnsEach / Stopwatch.GetElapsedTime(start).TotalSeconds;
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
