using Tenon.Bench;
using Tenon.Bench.Soak;

if (args is ["soak", .. var soak])
{
    if (soak is ["crash", .. var options] && !options.Contains("--help"))
    {
        return await CrashSoak.Run(options);
    }

    Console.Error.WriteLine(CrashSoak.Usage);
    return soak.Contains("--help") ? 0 : 2;
}

// Each benchmark prints one line. They run in this process, client and model service included, on loopback.
var benchmarks = new Dictionary<string, Func<Task>>
{
    ["first-byte"] = FirstByte.Run,
    ["text-turns"] = Turns.Text,
    ["tool-turn"] = Turns.Tool,
    ["interrupt"] = Stops.Interrupt,
    ["kill"] = Stops.Kill,
    ["sandbox"] = SandboxStarts.Run,
    ["append"] = Appends.Run,
};
var names = args.Length == 0 ? [.. benchmarks.Keys] : args;
if (names.FirstOrDefault(name => !benchmarks.ContainsKey(name)) is { } unknown)
{
    Console.Error.WriteLine($"tenon bench: unknown benchmark '{unknown}'. Known: {string.Join(' ', benchmarks.Keys)}.");
    return 2;
}

foreach (var name in names)
{
    await benchmarks[name]();
}

return 0;
