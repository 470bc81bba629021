using System.Diagnostics;
using System.Text.Json;
using Tenon.Server.Configuration;
using Tenon.Server.Sandboxes;

namespace Tenon.Bench;

/// <summary>From nothing to a sandbox that answers, and a call into a warm one.</summary>
internal static class SandboxStarts
{
    private const string Name = "sandbox";
    private const int WarmUps = 20;
    private const int Starts = 60;
    private const int Calls = 300;

    public static async Task Run(BenchRun run)
    {
        var folder = Directory.CreateTempSubdirectory("tenon-bench-").FullName;
        var settings = SettingsReader.Read(["--data", folder], new System.Collections.Hashtable());
        await using var provider = new SandboxProvider(settings.Sandbox, TimeProvider.System);
        var starts = new Figures("from nothing to an answer");
        var calls = new Figures("call");
        var floor = new Figures("floor");
        for (var i = 0; i < WarmUps + Starts; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await provider.Open($"bench_{i}", CancellationToken.None);
            if (i >= WarmUps)
            {
                starts.Add(Stopwatch.GetElapsedTime(start));
            }

            await provider.Destroy($"bench_{i}", CancellationToken.None);
        }

        var sandbox = await provider.Open("bench", CancellationToken.None);
        var input = JsonElement.Parse("""{"command":":"}""");
        for (var i = 0; i < Calls; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await sandbox.Call(new SandboxCall($"call_{i}", "bash", input), CancellationToken.None);
            calls.Add(Stopwatch.GetElapsedTime(start));
            await sandbox.Forget($"call_{i}", CancellationToken.None);
            start = Stopwatch.GetTimestamp();
            using var process = Process.Start("bash", ["-c", ":"]);
            await process.WaitForExitAsync();
            floor.Add(Stopwatch.GetElapsedTime(start));
        }

        await provider.Destroy("bench", CancellationToken.None);
        run.Add(Name, starts, 0.50, reachMs: 20);
        run.Add(Name, starts, 0.95, reachMs: 40);
        run.Add(new Measure
        {
            Name = Name, What = "a `bash` builtin in a warm sandbox, p50", Here = calls.P50, Unit = "ms", Reach = 1.5,
            Floor = floor.P50, FloorIs = "`bash -c` in place", Ratio = calls.P50 / floor.P50,
        });
        Directory.Delete(folder, recursive: true);
    }
}
