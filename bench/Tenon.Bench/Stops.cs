using System.Diagnostics;
using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>How soon what an agent does stops: by an interrupt, and by the kill switch.</summary>
internal static class Stops
{
    private const int WarmUps = 10;
    private const int Interrupts = 150;
    private const int Kills = 60;
    private const double InterruptMsMax = 100;
    private const double KillMsMax = 1_000;

    /// <summary>Between two looks at the process table: a look costs more than it waits.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(1);

    private static int _commands;

    /// <summary>From the interrupt to <c>session.status_idle</c> on the stream.</summary>
    public static async Task Interrupt(BenchRun run)
    {
        await Interrupt(run, "an answer, to idle", Streams, stream => BenchServer.Until(stream, "event_delta"));
        await Interrupt(run, "a command, to idle", Sleeps, _ => Sleeper());
    }

    /// <summary>From the kill to the end of each thing that it ends.</summary>
    public static async Task Kill(BenchRun run)
    {
        await KillAnswers(run);
        await KillCommands(run);
    }

    private static async Task Interrupt(
        BenchRun run, string name, Func<JsonElement, Reply> model,
        Func<IAsyncEnumerator<SseItem<string>>, Task> begun)
    {
        await using var server = await run.StartServer(model);
        var session = await server.NewSession(await server.NewAgent());
        await using var stream = await server.Stream(session);
        var figures = new Figures(name);
        for (var i = 0; i < WarmUps + Interrupts; i++)
        {
            await server.Send(session);
            await begun(stream);
            var start = Stopwatch.GetTimestamp();
            var sent = server.Interrupt(session);
            await BenchServer.Until(stream, "session.status_idle");
            if (i >= WarmUps)
            {
                figures.Add(Stopwatch.GetElapsedTime(start));
            }

            await sent;
        }

        Report(run, "interrupt", figures, InterruptMsMax);
    }

    private static async Task KillAnswers(BenchRun run)
    {
        await using var server = await run.StartServer(Streams);
        var body = await server.NewAgent();
        var (request, told) = (new Figures("an answer, to the request's end"), Told("an answer"));
        for (var i = 0; i < WarmUps + Kills; i++)
        {
            var session = await server.NewSession(body);
            await using var stream = await server.Stream(session);
            await server.Send(session);
            await BenchServer.Until(stream, "event_delta");
            await Kill(server, session, stream, i < WarmUps ? null : (request, told),
                server.Model.Script.Abandoned(CancellationToken.None));
        }

        Report(run, "kill", request, KillMsMax);
        Report(run, "kill", told, KillMsMax);
    }

    private static async Task KillCommands(BenchRun run)
    {
        await using var server = await run.StartServer(Sleeps);
        var body = await server.NewAgent();
        var (gone, told) = (new Figures("a command, to its processes' end"), Told("a command"));
        for (var i = 0; i < WarmUps + Kills; i++)
        {
            var session = await server.NewSession(body);
            await using var stream = await server.Stream(session);
            await server.Send(session);
            var process = await Sleeper();
            await Kill(server, session, stream, i < WarmUps ? null : (gone, told), Gone(process));
        }

        Report(run, "kill", gone, KillMsMax);
        Report(run, "kill", told, KillMsMax);
    }

    private static async Task Kill(
        BenchServer server, string session, IAsyncEnumerator<SseItem<string>> stream,
        (Figures Ended, Figures Told)? figures, Task ends)
    {
        var start = Stopwatch.GetTimestamp();
        var ended = Measure(ends, start);
        var told = Measure(BenchServer.Until(stream, "session.status_terminated"), start);
        await server.Kill(session);
        var (endedAfter, toldAfter) = (await ended, await told);
        figures?.Ended.Add(endedAfter);
        figures?.Told.Add(toldAfter);
    }

    private static async Task<TimeSpan> Measure(Task task, long start)
    {
        await task;
        return Stopwatch.GetElapsedTime(start);
    }

    private static Figures Told(string what) => new($"{what}, to status_terminated");

    private static void Report(BenchRun run, string name, Figures figures, double reachMs)
    {
        run.Add(name, figures, 0.50, reachMs);
        run.Add(name, figures, 0.99, reachMs);
    }

    private static Reply Streams(JsonElement request) => Reply.Hang("half an answer");

    /// <summary>A command that sleeps for a time of its own, by which its process is found.</summary>
    private static Reply Sleeps(JsonElement request) =>
        Reply.ToolUse("bash", new { command = $"sleep {10_000_000 + Interlocked.Increment(ref _commands)}" });

    /// <summary>The folder of the newest command's process, when there is one.</summary>
    private static async Task<string> Sleeper()
    {
        while (true)
        {
            var time = (10_000_000 + Volatile.Read(ref _commands)).ToString(CultureInfo.InvariantCulture);
            if (Directory.EnumerateDirectories("/proc").FirstOrDefault(folder => Runs(folder, time)) is { } found)
            {
                return found;
            }

            await Task.Delay(PollInterval);
        }
    }

    private static bool Runs(string folder, string time)
    {
        try
        {
            return char.IsAsciiDigit(Path.GetFileName(folder)[0])
                && File.ReadAllText(Path.Combine(folder, "cmdline")) == $"sleep\0{time}\0";
        }
        catch (IOException)
        {
            // It ended while it was looked at.
            return false;
        }
    }

    private static async Task Gone(string process)
    {
        while (Directory.Exists(process))
        {
            await Task.Delay(PollInterval);
        }
    }
}
