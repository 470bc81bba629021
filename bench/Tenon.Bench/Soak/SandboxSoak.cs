using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Tenon.Server.Configuration;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Content;

namespace Tenon.Bench.Soak;

/// <summary>
/// <c>./tenon soak sandboxes</c>: sandboxes are created, used, frozen, thawed, ended, forked, destroyed, their hands
/// killed and the server over them replaced, at random. Then what is left of them on the machine is counted.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A run disposes of the last provider; nobody waits after it.")]
internal sealed class SandboxSoak
{
    public const string Usage =
        """
        Usage: ./tenon soak sandboxes [--minutes 10] [--sandboxes 1000] [--seed N]

        Creates, uses, freezes, ends, forks, kills and destroys sandboxes at random, and counts what is left of them.
        The exit code is 0 when nothing is.
        """;

    /// <summary>Sandboxes at once, as many as a small machine runs beside its other work.</summary>
    private const int AliveMax = 40;

    private const int Workers = 4;

    /// <summary>How often all is let go and found again by another provider, as by another server.</summary>
    private static readonly TimeSpan RestartInterval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan RestInterval = TimeSpan.FromMilliseconds(250);

    private readonly SoakPlan _plan;
    private readonly SandboxOptions _options;
    private readonly Random _random;
    private readonly SemaphoreSlim _running = new(Workers, Workers);
    private readonly Lock _gate = new();
    private readonly List<SoakSandbox> _idle = [];
    private readonly Stopwatch _time = Stopwatch.StartNew();
    private SandboxProvider _provider;
    private int _created;
    private int _busy;

    private SandboxSoak(SoakPlan plan)
    {
        _plan = plan;
        _random = new Random(plan.Seed);
        Data = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "tenon-soak-" + Path.GetRandomFileName()),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;
        _options = SettingsReader.Read(["--data", Data], new System.Collections.Hashtable()).Sandbox with
        {
            SocketDirectory = "/run/" + Path.GetFileName(Data),
            FirstUid = SoakRemains.FirstUid,
            FreezeAfter = TimeSpan.FromMilliseconds(400),
            EndAfter = TimeSpan.FromSeconds(4),
            DiskBytes = 256L * 1024 * 1024,
        };
        _provider = new SandboxProvider(_options, TimeProvider.System);
    }

    private string Data { get; }

    /// <summary>What was done, by name.</summary>
    private SortedDictionary<string, int> Done { get; } = [];

    /// <summary>The lives of sandboxes that there have been.</summary>
    private HashSet<string> Instances { get; } = [];

    private List<string> Wrong { get; } = [];

    public static async Task<int> Run(string[] args)
    {
        var given = new ConfigurationBuilder().AddCommandLine(args).Build();
        var plan = new SoakPlan(given.GetValue("minutes", 10.0), given.GetValue("sandboxes", 1000),
            given.GetValue("seed", Environment.TickCount));
        Console.WriteLine(FormattableString.Invariant(
            $"soak sandboxes: {plan.Sandboxes} in {plan.Minutes} minutes, seed {plan.Seed}"));
        return await new SandboxSoak(plan).Run() ? 0 : 1;
    }

    private async Task<bool> Run()
    {
        using var enough = new CancellationTokenSource();
        var beside = Task.WhenAll(
            Every(RestInterval, () => _provider.Rest(CancellationToken.None), enough.Token),
            Every(RestartInterval, Restart, enough.Token));
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Task.Run(Work)));
        await enough.CancelAsync();
        await beside;
        foreach (var sandbox in _idle)
        {
            await Destroy(sandbox);
        }

        // Launchers end right after their sandboxes, and are buried when the next one starts or rests.
        var provider = _provider;
        await Task.Delay(RestInterval);
        await provider.Rest(CancellationToken.None);
        await provider.DisposeAsync();
        Console.WriteLine("| done | times |\n|---|---|");
        foreach (var (name, times) in Done)
        {
            Console.WriteLine($"| {name} | {times} |");
        }

        var left = SoakRemains.Count(Data, provider.Root, _options.SocketDirectory!, Instances);
        Console.WriteLine("\n| left on the machine | count |\n|---|---|");
        foreach (var (name, count) in left)
        {
            Console.WriteLine($"| {name} | {count} |");
        }

        Console.WriteLine($"| answers that were wrong | {Wrong.Count} |");
        Wrong.Take(20).ToList().ForEach(Console.WriteLine);
        if (left.Any(entry => entry.Count > 0) || Wrong.Count > 0)
        {
            return false;
        }

        Directory.Delete(Data, recursive: true);
        Directory.Delete(_options.SocketDirectory!, recursive: true);
        return true;
    }

    private async Task Work()
    {
        while (Next() is { } step)
        {
            await _running.WaitAsync();
            try
            {
                await step();
            }
            catch (Exception exception)
            {
                Console.WriteLine($"{exception.GetType().Name}: {exception.Message}");
                lock (_gate)
                {
                    _busy--;
                    Wrong.Add(exception.Message);
                }
            }
            finally
            {
                _running.Release();
            }
        }
    }

    /// <summary>What a worker does next; null when all is done.</summary>
    private Func<Task>? Next()
    {
        lock (_gate)
        {
            var share = _time.Elapsed.TotalMinutes / _plan.Minutes;
            if (_created >= _plan.Sandboxes && share >= 1)
            {
                return null;
            }

            if (_idle.Count + _busy < AliveMax && _created < share * _plan.Sandboxes && _created < _plan.Sandboxes)
            {
                _created++;
                _busy++;
                var source = _random.Next(3) == 0 ? Take() : null;
                return () => Create(source);
            }

            if (_idle.Count == 0)
            {
                return () => Task.Delay(10, CancellationToken.None);
            }

            var sandbox = Take()!;
            _busy++;

            // In a hundred; so many live that most of them rest between two calls, and freeze and end by themselves.
            var destroyed = _idle.Count > AliveMax * 3 / 4 ? 40 : 1;
            var roll = _random.Next(100) - destroyed;
            return roll < 0 ? () => Destroy(sandbox)
                : roll < 6 ? () => KillHand(sandbox)
                : roll < 12 ? () => Stop(sandbox)
                : () => Use(sandbox);
        }
    }

    private SoakSandbox? Take()
    {
        if (_idle.Count == 0)
        {
            return null;
        }

        var at = _random.Next(_idle.Count);
        var sandbox = _idle[at];
        _idle.RemoveAt(at);
        return sandbox;
    }

    private void GiveBack(SoakSandbox sandbox, string done)
    {
        lock (_gate)
        {
            _busy--;
            _idle.Add(sandbox);
            Done[done] = Done.GetValueOrDefault(done) + 1;
        }
    }

    private async Task Create(SoakSandbox? source)
    {
        var made = new SoakSandbox($"soak_{Guid.NewGuid():N}");
        var kind = "created";
        if (source is not null)
        {
            var snapshot = $"snap_{Guid.NewGuid():N}";
            if (await _provider.Snapshot(source.Id, snapshot, [], CancellationToken.None)
                && await _provider.Fork(source.Id, [snapshot], made.Id, CancellationToken.None) is not null)
            {
                (kind, made.Says) = ("forked", source.Says);
            }

            lock (_gate)
            {
                _idle.Add(source);
            }
        }

        await Call(made);
        GiveBack(made, kind);
    }

    private async Task Use(SoakSandbox sandbox)
    {
        await Call(sandbox);
        GiveBack(sandbox, "used");
    }

    /// <summary>A call that says what the last one wrote, and writes what the next one will say.</summary>
    private async Task Call(SoakSandbox sandbox)
    {
        var next = Guid.NewGuid().ToString("N");
        var command = $"cat said 2>/dev/null; echo {next} >said; (sleep 600 &) ; head -c 100000 /dev/urandom >noise";
        var call = new SandboxCall($"call_{next}", "bash", JsonSerializer.SerializeToElement(new { command }));
        var opened = await _provider.Open(sandbox.Id, CancellationToken.None);
        ToolOutput output;
        var isUnknown = false;
        try
        {
            output = await opened.Call(call, CancellationToken.None);
        }
        catch (SandboxException) when (sandbox.IsKilled)
        {
            // A process that was frozen when it was killed dies when it is thawed, which the call has done. Whether the
            // command ran before that is not known, as the failure says.
            isUnknown = true;
            opened = await _provider.Open(sandbox.Id, CancellationToken.None);
            output = await opened.Call(call, CancellationToken.None);
        }

        sandbox.IsKilled = false;
        var text = ((TextBlock)output.Content[0]).Text;
        lock (_gate)
        {
            Instances.Add(opened.Instance);
            if (text != (sandbox.Says.Length == 0 ? "(no output)" : sandbox.Says) && !(isUnknown && text == next))
            {
                Wrong.Add($"{sandbox.Id} said '{text}' and not '{sandbox.Says}'");
            }
        }

        sandbox.Says = next;
    }

    private async Task KillHand(SoakSandbox sandbox)
    {
        var record = Path.Combine(_provider.FolderOf(sandbox.Id).Path, "sandbox.json");
        var pid = JsonElement.Parse(await File.ReadAllTextAsync(record)).GetProperty("pid").GetInt32();
        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            // It has ended by itself, for it rested.
        }

        sandbox.IsKilled = true;

        GiveBack(sandbox, "hand killed");
    }

    private async Task Stop(SoakSandbox sandbox)
    {
        await _provider.Stop(sandbox.Id, CancellationToken.None);
        GiveBack(sandbox, "ended");
    }

    private async Task Destroy(SoakSandbox sandbox)
    {
        await _provider.Destroy(sandbox.Id, CancellationToken.None);
        lock (_gate)
        {
            _busy--;
            Done["destroyed"] = Done.GetValueOrDefault("destroyed") + 1;
        }
    }

    private async Task Restart()
    {
        for (var i = 0; i < Workers; i++)
        {
            await _running.WaitAsync();
        }

        await _provider.DisposeAsync();
        _provider = new SandboxProvider(_options, TimeProvider.System);
        await _provider.Reap(_ => ValueTask.FromResult(true), CancellationToken.None);
        lock (_gate)
        {
            Done["server replaced"] = Done.GetValueOrDefault("server replaced") + 1;
        }

        _running.Release(Workers);
    }

    private static async Task Every(TimeSpan interval, Func<Task> work, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(interval, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!stop.IsCancellationRequested)
            {
                await work();
            }
        }
    }
}

internal sealed record SoakPlan(double Minutes, int Sandboxes, int Seed);

/// <summary>A session of the soak, and what its next call must say.</summary>
internal sealed record SoakSandbox(string Id)
{
    public string Says { get; set; } = "";

    /// <summary>Its hand was killed, and no call has been made since.</summary>
    public bool IsKilled { get; set; }
}
