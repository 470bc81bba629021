using Microsoft.Extensions.Configuration;
using Tenon.Bench;
using Tenon.Bench.Soak;
using Tenon.Conformance.Support;

const string Usage =
    """
    Usage: ./tenon bench core [--json FILE] [--postgres CONNECTION-STRING]
           ./tenon bench NAME ... [the same options]

    core measures everything, in about eight minutes, and writes docs/operations/performance.json when no other file is
    named. What is named alone is only printed, unless --json says where to write it.
    --postgres takes an empty database that may be thrown away afterwards; without it everything is on SQLite.

    Names:
    """;

if (args is ["soak", .. var soak])
{
    if (soak is ["crash", .. var given] && !given.Contains("--help"))
    {
        return await CrashSoak.Run(given);
    }

    if (soak is ["sandboxes", .. var asked] && !asked.Contains("--help"))
    {
        return await SandboxSoak.Run(asked);
    }

    Console.Error.WriteLine($"{CrashSoak.Usage}\n\n{SandboxSoak.Usage}");
    return soak.Contains("--help") ? 0 : 2;
}

if (args is ["readers", .. var readers])
{
    return Readers.Run(readers);
}

// In the order in which core runs them: memory first, while this process is still small.
var benchmarks = new Dictionary<string, Func<BenchRun, Task>>
{
    ["memory"] = Memory.Run,
    ["first-byte"] = FirstByte.Run,
    ["text-turns"] = Turns.Text,
    ["tool-turn"] = Turns.Tool,
    ["long-log"] = LogLength.Run,
    ["append"] = Appends.Run,
    ["fan-out"] = FanOut.Run,
    ["interrupt"] = Stops.Interrupt,
    ["kill"] = Stops.Kill,
    ["sandbox"] = async run =>
    {
        await SandboxStarts.Run(run);
        await DriverStarts.Run(run);
        await SandboxLives.Run(run);
    },
    ["egress"] = EgressLoad.Run,
    ["recovery"] = Recovery.Run,
    ["files"] = FileTraffic.Run,
};
var names = args.TakeWhile(arg => !arg.StartsWith('-')).ToList();
if (names.Count == 0 || args.Contains("--help"))
{
    Console.WriteLine($"{Usage} {string.Join(' ', benchmarks.Keys)}");
    return 0;
}

if (names.FirstOrDefault(name => name != "core" && !benchmarks.ContainsKey(name)) is { } unknown)
{
    Console.Error.WriteLine(
        $"tenon bench: unknown benchmark '{unknown}'. Known: core {string.Join(' ', benchmarks.Keys)}.");
    return 2;
}

var options = new ConfigurationBuilder().AddCommandLine([.. args.Skip(names.Count)]).Build();
var isCore = names.Contains("core");
var run = new BenchRun(options["postgres"]);
BenchRun.PrintHeader();
foreach (var name in isCore ? [.. benchmarks.Keys] : names)
{
    await benchmarks[name](run);
}

var table = isCore ? Repository.PathTo("docs/operations/performance.json") : null;
if ((options["json"] ?? table) is { } file)
{
    await run.Write(file);
}

return 0;
