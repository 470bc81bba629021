using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
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

    /// <summary>After so many kills one waits until every session has gone on, which is timed.</summary>
    private const int TimedEvery = 10;

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(5);

    /// <summary>A session that has not gone on by then will not.</summary>
    private static readonly TimeSpan GoOnTime = TimeSpan.FromSeconds(60);

    public static async Task<int> Run(string[] args)
    {
        var options = new ConfigurationBuilder().AddCommandLine(args).Build();
        var kills = options.GetValue("kills", 200);
        var seed = options.GetValue("seed", Environment.TickCount);
        Console.WriteLine(FormattableString.Invariant($"soak crash: {kills} kills, seed {seed}"));
        await using var model = new AnthropicService { Responder = SoakModel.Answer };
        await using var server = new SoakServer(model.Url, options["postgres"]);
        Console.WriteLine($"data: {server.Data}, removed when all counts are zero");
        server.Start();
        await server.Ready(CancellationToken.None);
        var sessions = await Open(server, options.GetValue("sessions", 20));
        using var enough = new CancellationTokenSource();
        var running = sessions.ConvertAll(session => Task.Run(() => session.Run(enough.Token)));
        var killing = KillAgainAndAgain(server, sessions, kills, new Random(seed));
        await await Task.WhenAny([killing, .. running]);
        var back = await killing;
        await enough.CancelAsync();
        await Task.WhenAll(running).WaitAsync(GoOnTime);

        var faults = (await Task.WhenAll(sessions.Select(session => session.Check()))).Aggregate((a, b) => a + b);
        Report(faults, sessions, kills, back);
        if (!faults.IsClean)
        {
            return 1;
        }

        foreach (var session in sessions)
        {
            using var deleted = await server.Client.DeleteAsync($"/v1/sessions/{session.Id}");
        }

        await server.Kill();
        Directory.Delete(server.Data, recursive: true);
        return 0;
    }

    private static async Task<Figures> KillAgainAndAgain(
        SoakServer server, List<SoakSession> sessions, int kills, Random random)
    {
        var back = new Figures("from start to all going on");
        for (var kill = 1; kill <= kills; kill++)
        {
            await Task.Delay(random.Next(KillMaxMs));
            var atWork = sessions.FindAll(session => session.IsAtWork);
            await server.Kill();
            var started = Stopwatch.GetTimestamp();
            server.Start();
            if (kill % TimedEvery == 0)
            {
                await Until(() => atWork.TrueForAll(session => session.LastEventAt > started || !session.IsAtWork));
                back.Add(Stopwatch.GetElapsedTime(started));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"  {kill} kills; all {atWork.Count} at work went on after {back.Last.TotalSeconds:0.0} s"));
            }
            else if (kill % EarlyKillEvery == 0)
            {
                await Task.Delay(random.Next(EarlyKillMaxMs));
            }
            else
            {
                await server.Ready(CancellationToken.None);
            }
        }

        return back;
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

    private static async Task<string> Post(SoakServer server, string path, object body)
    {
        using var answer = await server.Client.PostAsJsonAsync(path, body);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString()!;
    }

    private static void Report(SoakFaults faults, List<SoakSession> sessions, int kills, Figures back)
    {
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
