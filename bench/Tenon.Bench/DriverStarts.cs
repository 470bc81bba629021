using System.Diagnostics;
using Tenon.Server.Configuration;
using Tenon.Server.Sandboxes;

namespace Tenon.Bench;

/// <summary>
/// What of a start is the driver's own: in every round, bubblewrap and runc run <c>true</c> with the mounts and flags
/// of a sandbox, and each driver starts one that answers.
/// </summary>
internal static class DriverStarts
{
    private const string Name = "sandbox";
    private const int WarmUps = 5;
    private const int Rounds = 40;

    public static async Task Run(BenchRun run)
    {
        var folder = Directory.CreateTempSubdirectory("tenon-bench-").FullName;
        var settings = SettingsReader.Read(["--data", folder], new System.Collections.Hashtable());
        var hasRunc = SandboxFiles.IsRoot && OciRuntime.Of("runc").Path is not null;
        List<Contender> contenders = [new("bubblewrap", settings.Sandbox)];
        if (hasRunc)
        {
            contenders.Add(new("oci:runc", settings.Sandbox with { Driver = "oci" }));
        }

        for (var i = -WarmUps; i < Rounds; i++)
        {
            foreach (var contender in contenders)
            {
                await contender.Round(keep: i >= 0);
            }
        }

        foreach (var contender in contenders)
        {
            contender.Tell(run);
            await contender.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }

    /// <summary>A driver, and its program alone.</summary>
    private sealed class Contender(string name, SandboxOptions options) : IAsyncDisposable
    {
        private readonly SandboxProvider _provider = new(options, TimeProvider.System);
        private readonly Figures _bare = new($"bare {name}, `true`");
        private readonly Figures _ready = new($"{name}, from nothing to an answer");
        private readonly List<double> _ratios = [];
        private int _rounds;

        public async Task Round(bool keep)
        {
            var session = $"bench_{_rounds++}";
            // Its files are made by the start, and are there for the bare run.
            var start = Stopwatch.GetTimestamp();
            await _provider.Open(session, CancellationToken.None);
            var ready = Stopwatch.GetElapsedTime(start);
            var bare = await Bare(session);
            await _provider.Destroy(session, CancellationToken.None);
            if (keep)
            {
                _ready.Add(ready);
                _bare.Add(bare);
                _ratios.Add(ready / bare);
            }
        }

        public ValueTask DisposeAsync() => _provider.DisposeAsync();

        public void Tell(BenchRun run)
        {
            run.Add(new Measure
            {
                Name = Name, What = $"{_ready.Name}, p50", Here = _ready.P50, Unit = "ms",
                Floor = _bare.P50, FloorIs = _bare.Name, Ratio = Figures.Median(_ratios),
            });
            run.Add(new Measure
            {
                Name = Name, What = $"{_ready.Name}, p95", Here = _ready.At(0.95), Unit = "ms",
                Floor = _bare.At(0.95), FloorIs = _bare.Name,
            });
        }

        private async Task<TimeSpan> Bare(string session)
        {
            var files = new SandboxFiles(options);
            var folder = files.FolderOf(session);
            var description = SandboxDescription.Of(
                options, files, folder, folder.ReadRecord()!.Uid, $"bare_{session}") with
            {
                Command = ["/usr/bin/true"],
            };
            return options.Driver == "oci"
                ? await Runc(files, description)
                : await Timed(Without(new BubblewrapCommand(options, files).Build(description)));
        }

        private async Task<TimeSpan> Runc(SandboxFiles files, SandboxDescription description)
        {
            var bundle = new OciBundle(Path.Combine(files.Root, ".bare"), options.SetupUid);
            bundle.Write(description, Path.Combine(files.Shared, SandboxFiles.FilterName));
            var states = Path.Combine(options.DataDirectory, "bare-states");
            var took = await Timed(
            [
                OciRuntime.Of("runc").Path!, "--root", states, "run", "--bundle", bundle.Path, description.Instance,
            ]);
            Directory.Delete(bundle.Path, recursive: true);
            return took;
        }

        /// <summary>Without the descriptors that only a server passes.</summary>
        private static List<string> Without(List<string> command)
        {
            foreach (var flag in (string[])["--seccomp", "--info-fd", "--block-fd"])
            {
                command.RemoveRange(command.IndexOf(flag), 2);
            }

            return command;
        }

        private static async Task<TimeSpan> Timed(List<string> command)
        {
            var start = Stopwatch.GetTimestamp();
            using var process = Process.Start(command[0], command[1..]);
            await process.WaitForExitAsync();
            return process.ExitCode == 0
                ? Stopwatch.GetElapsedTime(start)
                : throw new InvalidOperationException($"{command[0]} ended with {process.ExitCode}");
        }
    }
}
