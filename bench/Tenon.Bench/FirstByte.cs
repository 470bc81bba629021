using System.Diagnostics;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>
/// Time to the first piece of the model's answer, straight from the service and through Tenon: by turns, in one run.
/// </summary>
internal static class FirstByte
{
    private const string Name = "first-byte";
    private const int WarmUps = 300;
    private const int Rounds = 5;
    private const int SamplesEach = 100;

    public static async Task Run(BenchRun run)
    {
        await using var server = await run.StartServer(_ => Reply.Text("hello ", "world"));
        var body = await server.NewAgent();
        using var direct = new ModelCall(server.Model.Url);
        await Sample(WarmUps);
        var rounds = new List<(Figures Bare, Figures Through)>();
        for (var round = 0; round < Rounds; round++)
        {
            rounds.Add(await Sample(SamplesEach));
        }

        foreach (var (share, reach) in new[] { (0.50, 2.0), (0.99, 6.0) })
        {
            var floor = Figures.Median(rounds.Select(round => round.Bare.At(share)));
            var added = Figures.Median(rounds.Select(round => round.Through.At(share) - round.Bare.At(share)));
            run.Add(new Measure
            {
                Name = Name, What = BenchRun.Invariant($"added to the first piece of an answer, p{share * 100:0}"),
                Here = added, Unit = "ms", Reach = reach,
                Floor = floor, FloorIs = "straight from the model service", Ratio = added / floor,
            });
        }

        async Task<(Figures Bare, Figures Through)> Sample(int samples)
        {
            var (bare, through) = (new Figures(Name), new Figures(Name));
            for (var i = 0; i < samples; i++)
            {
                bare.Add(await direct.FirstPiece());
                through.Add(await Through(server, await server.NewSession(body)));
            }

            return (bare, through);
        }
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
