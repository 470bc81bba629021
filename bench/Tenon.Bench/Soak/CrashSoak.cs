using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench.Soak;

/// <summary>
/// <c>./tenon soak crash</c>: sessions work while the server is killed with SIGKILL again and again, at random: while
/// they stream, while commands run, and while the server starts. Then everything is counted.
/// </summary>
internal static class CrashSoak
{
    public const string Usage =
        """
        Usage: ./tenon soak crash [--kills 200] [--sessions 20] [--seed N] [--postgres CONNECTION-STRING]

        Kills a server at random while sessions work, and counts what was lost and what happened twice.
        The exit code is 0 when all counts are zero.
        """;

    /// <summary>One kill in so many comes while the server still starts.</summary>
    private const int EarlyKillEvery = 4;

    /// <summary>A start takes about two seconds, so these fall anywhere in it.</summary>
    private const int EarlyKillMaxMs = 2_000;

    private const int KillMaxMs = 1_500;

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>A session that has not gone on by then will not, however busy the machine is.</summary>
    private static readonly TimeSpan GoOnTime = TimeSpan.FromMinutes(5);

    public static async Task<int> Run(string[] args)
    {
        var options = new ConfigurationBuilder().AddCommandLine(args).Build();
        var plan = new CrashPlan
        {
            Kills = options.GetValue("kills", 200),
            Sessions = options.GetValue("sessions", 20),
            Seed = options.GetValue("seed", Environment.TickCount),
            Postgres = options["postgres"],
        };
        Console.WriteLine(FormattableString.Invariant($"soak crash: {plan.Kills} kills, seed {plan.Seed}"));
        var result = await Run(plan, Console.WriteLine);
        Report(result, plan.Kills);
        return result.Faults.IsClean ? 0 : 1;
    }

    /// <param name="say">Told what happens, a line at a time.</param>
    public static async Task<CrashResult> Run(CrashPlan plan, Action<string> say)
    {
        await using var model = new AnthropicService { Responder = SoakModel.Answer };
        model.Script.KeepsRequests = false;
        await using var server = new SoakServer(model.Url, plan.Postgres);
        say($"data: {server.Data}, removed when all counts are zero");
        server.Start();
        await server.Ready();
        var sessions = await Open(server, plan.Sessions);
        using var enough = new CancellationTokenSource();
        var running = sessions.ConvertAll(session => Task.Run(() => session.Run(enough.Token)));
        var killing = KillAgainAndAgain(server, sessions, plan, say);
        await await Task.WhenAny([killing, .. running]);
        var (ready, back) = await killing;
        await enough.CancelAsync();
        await Task.WhenAll(running).WaitAsync(GoOnTime);

        var faults = (await Task.WhenAll(sessions.Select(session => session.Check()))).Aggregate((a, b) => a + b);
        if (faults.IsClean)
        {
            foreach (var session in sessions)
            {
                using var deleted = await server.Client.DeleteAsync($"/v1/sessions/{session.Id}");
            }

            await server.Clear();
        }

        return new CrashResult(faults, sessions, ready, back);
    }

    private static async Task<(Figures Ready, Figures Back)> KillAgainAndAgain(
        SoakServer server, List<SoakSession> sessions, CrashPlan plan, Action<string> say)
    {
        var (ready, back) = (new Figures("from start to taking requests"), new Figures("from start to all going on"));
        var random = new Random(plan.Seed);
        for (var kill = 1; kill <= plan.Kills; kill++)
        {
            await Task.Delay(random.Next(plan.KillMinMs, plan.KillMinMs + KillMaxMs));
            var atWork = sessions.FindAll(session => session.IsAtWork);
            await server.Kill();
            var started = Stopwatch.GetTimestamp();
            server.Start();
            if (kill % plan.TimedEvery == 0)
            {
                await server.Ready();
                ready.Add(Stopwatch.GetElapsedTime(started));
                await Until(() => atWork.TrueForAll(session => session.LastEventAt > started || !session.IsAtWork));
                back.Add(Stopwatch.GetElapsedTime(started));
                say(BenchRun.Invariant(
                    $"  {kill} kills; all {atWork.Count} at work went on after {back.Last.TotalSeconds:0.0} s"));
            }
            else if (kill % EarlyKillEvery == 0)
            {
                await Task.Delay(random.Next(EarlyKillMaxMs));
            }
            else
            {
                await server.Ready();
            }
        }

        return (ready, back);
    }

    private static async Task Until(Func<bool> isSo)
    {
        var started = Stopwatch.GetTimestamp();
        while (!isSo())
        {
            if (Stopwatch.GetElapsedTime(started) > GoOnTime)
            {
                throw new InvalidOperationException("A session has not gone on.");
            }

            await Task.Delay(PollInterval);
        }
    }

    private static async Task<List<SoakSession>> Open(SoakServer server, int count)
    {
        var agent = await Post(server, "/v1/agents", new
        {
            name = "soak", model = "claude-opus-4-8", tools = new[] { new { type = "agent_toolset_20260401" } },
        });
        var environment = await Post(server, "/v1/environments", new { name = "soak" });
        var sessions = new List<SoakSession>();
        for (var number = 0; number < count; number++)
        {
            var id = await Post(server, "/v1/sessions", new { agent, environment_id = environment });
            sessions.Add(new SoakSession(server, id, number));
        }

        return sessions;
    }

    private static async Task<string> Post(SoakServer server, string path, object body) =>
        (await server.Post(path, JsonSerializer.Serialize(body))).GetProperty("id").GetString()!;

    private static void Report(CrashResult result, int kills)
    {
        var (faults, sessions, _, back) = result;
        var turns = sessions.Sum(session => session.Messages.Count);
        Console.WriteLine(
            $"""
            kills                                {kills}
            sessions / turns / events            {sessions.Count} / {turns} / {faults.Events}
            events lost                          {faults.Lost}
            events never shown on a stream       {faults.Unseen}
            sessions shown out of order          {faults.OutOfOrder}
            commands run                         {faults.Effects}
            commands run twice                   {faults.Twice}
            commands not run                     {faults.Missing}
            calls that failed                    {faults.Errors}
            sessions not finished                {sessions.Count(session => session.IsAtWork)}
            {back}
            """);
    }
}

/// <summary>How many sessions work, and how often they are disturbed.</summary>
internal sealed record CrashPlan
{
    public required int Kills { get; init; }

    public required int Sessions { get; init; }

    /// <summary>Of the moments at which the server is killed.</summary>
    public required int Seed { get; init; }

    /// <summary>A connection string; null for SQLite.</summary>
    public string? Postgres { get; init; }

    /// <summary>After so many kills one waits until every session has gone on, which is timed.</summary>
    public int TimedEvery { get; init; } = 10;

    /// <summary>The server works at least so long, in milliseconds, before it is killed.</summary>
    public int KillMinMs { get; init; }
}

/// <summary>What was counted, and how long the timed starts took.</summary>
internal sealed record CrashResult(SoakFaults Faults, List<SoakSession> Sessions, Figures Ready, Figures Back);
