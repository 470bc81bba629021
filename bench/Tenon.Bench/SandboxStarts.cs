using System.Diagnostics;
using System.Text.Json;
using Tenon.Server.Configuration;
using Tenon.Server.Sandboxes;

namespace Tenon.Bench;

/// <summary>From nothing to a sandbox that answers, and a call into a warm one.</summary>
internal static class SandboxStarts
{
    private const int Starts = 60;
    private const int Calls = 300;

    public static async Task Run()
    {
        var folder = Directory.CreateTempSubdirectory("tenon-bench-").FullName;
        var settings = SettingsReader.Read(["--data", folder], new System.Collections.Hashtable());
        await using var provider = new BubblewrapProvider(settings.Sandbox, TimeProvider.System);
        var starts = new Figures("sandbox start");
        var calls = new Figures("bash builtin in a warm sandbox");
        var floor = new Figures("bash -c in place");
        for (var i = 0; i < Starts; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await provider.Open($"bench_{i}", CancellationToken.None);
            starts.Add(Stopwatch.GetElapsedTime(start));
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
        Console.WriteLine(starts);
        Console.WriteLine(calls);
        Console.WriteLine(floor);
        Directory.Delete(folder, recursive: true);
    }
}
