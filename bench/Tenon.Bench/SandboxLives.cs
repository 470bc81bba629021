using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Tenon.Server.Configuration;
using Tenon.Server.Sandboxes;

namespace Tenon.Bench;

/// <summary>Many sandboxes at once, what each takes, how fast one freezes and thaws, and a fork of a large workspace.
/// </summary>
internal static class SandboxLives
{
    private const string Name = "sandbox";
    private const int Alive = 200;
    private const int Turns = 30;
    private const int Forks = 20;
    private const int Files = 10_000;
    private const int FileBytes = 51_200;

    public static async Task Run(BenchRun run)
    {
        var folder = Directory.CreateDirectory(
            Path.Combine(Path.GetTempPath(), "tenon-bench-" + Path.GetRandomFileName()),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;
        var options = SettingsReader.Read(["--data", folder], new System.Collections.Hashtable()).Sandbox with
        {
            FreezeAfter = TimeSpan.Zero,
        };
        await using var provider = new SandboxProvider(options, TimeProvider.System);
        try
        {
            await Fork(run, provider);
            await Freeze(run, provider);
            await Crowd(run, provider);
        }
        finally
        {
            await provider.Reap(_ => ValueTask.FromResult(false), CancellationToken.None);
            await provider.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task Fork(BenchRun run, SandboxProvider provider)
    {
        var source = await provider.Open("large", CancellationToken.None);
        await Bash(source, $"for i in {{1..{Files}}}; do head -c {FileBytes} /dev/urandom >f$i; done; sync .");
        await provider.Snapshot("large", "snap_1", [], CancellationToken.None);
        var snapshots = new Figures("snapshot of 512 MB in 10 000 files");
        var forks = new Figures("fork of it, mounted");
        for (var i = 0; i < Forks; i++)
        {
            await Bash(source, $"echo {i} >f1; sync f1");
            var start = Stopwatch.GetTimestamp();
            await provider.Snapshot("large", $"snap_{i + 2}", [], CancellationToken.None);
            snapshots.Add(Stopwatch.GetElapsedTime(start));
            start = Stopwatch.GetTimestamp();
            await provider.Fork("large", [$"snap_{i + 2}"], $"fork_{i}", CancellationToken.None);
            forks.Add(Stopwatch.GetElapsedTime(start));
            await provider.Destroy($"fork_{i}", CancellationToken.None);
        }

        await provider.Destroy("large", CancellationToken.None);
        run.Add(Name, snapshots, 0.50);
        run.Add(Name, forks, 0.50, reachMs: 50);
    }

    private static async Task Freeze(BenchRun run, SandboxProvider provider)
    {
        var sandbox = await provider.Open("cold", CancellationToken.None);
        await Bash(sandbox, ":");
        var (freezes, calls) = (new Figures("freeze"), new Figures("first `bash` builtin in a frozen sandbox"));
        for (var i = 0; i < Turns; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await provider.Rest(CancellationToken.None);
            freezes.Add(Stopwatch.GetElapsedTime(start));
            start = Stopwatch.GetTimestamp();
            await Bash(sandbox, ":");
            calls.Add(Stopwatch.GetElapsedTime(start));
        }

        await provider.Destroy("cold", CancellationToken.None);
        run.Add(Name, freezes, 0.50);
        run.Add(Name, calls, 0.50);
    }

    private static async Task Crowd(BenchRun run, SandboxProvider provider)
    {
        // The store and what all sandboxes share is there before the first is counted.
        await provider.Destroy("first", CancellationToken.None);
        var start = Stopwatch.GetTimestamp();
        var ids = Enumerable.Range(0, Alive).Select(i => $"crowd_{i}").ToList();
        await Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (id, cancelled) =>
            await Bash(await provider.Open(id, cancelled), ":"));
        var took = Stopwatch.GetElapsedTime(start);
        var inits = ids.ConvertAll(id => JsonElement.Parse(File.ReadAllBytes(
            Path.Combine(provider.FolderOf(id).Path, "sandbox.json"))).GetProperty("pid").GetInt32());
        var memory = inits.Average(init => ProportionalBytes(init)) / 1_000_000;
        run.Add(new Measure
        {
            Name = Name, What = $"{Alive} sandboxes, each with a shell that ran, started by four at a time",
            Here = took.TotalSeconds, Unit = "s",
        });
        run.Add(new Measure
        {
            Name = Name, What = $"memory of one of {Alive}: launcher, hand and shell, shared pages counted by share",
            Here = memory, Unit = "MB", Reach = 5,
        });
    }

    /// <summary>Of the init, of what it started, and of the launcher that waits for it.</summary>
    private static double ProportionalBytes(int init)
    {
        var family = new List<int> { init, ParentOf(init) };
        for (var i = 0; i < family.Count; i++)
        {
            if (i != 1)
            {
                var children = File.ReadAllText($"/proc/{family[i]}/task/{family[i]}/children");
                family.AddRange(children.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                    .Select(pid => int.Parse(pid, CultureInfo.InvariantCulture)));
            }
        }

        return family.Sum(pid => File.ReadLines($"/proc/{pid}/smaps_rollup")
            .First(line => line.StartsWith("Pss:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1] is var kilobytes
                ? double.Parse(kilobytes, CultureInfo.InvariantCulture) * 1024 : 0);
    }

    private static int ParentOf(int pid) => int.Parse(
        File.ReadLines($"/proc/{pid}/status").First(line => line.StartsWith("PPid:", StringComparison.Ordinal))
            .Split('\t')[1], CultureInfo.InvariantCulture);

    private static async Task Bash(ISandbox sandbox, string command)
    {
        var id = Guid.NewGuid().ToString("N");
        var output = await sandbox.Call(
            new SandboxCall(id, "bash", JsonSerializer.SerializeToElement(new { command, timeout_ms = 600_000 })),
            CancellationToken.None);
        if (output.IsError)
        {
            throw new InvalidOperationException($"{command}: {JsonSerializer.Serialize(output.Content)}");
        }

        await sandbox.Forget(id, CancellationToken.None);
    }
}
