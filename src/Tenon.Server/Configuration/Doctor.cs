using Tenon.Server.Sandboxes;

namespace Tenon.Server.Configuration;

/// <summary>
/// <c>tenon doctor</c>: what this machine can and cannot do, the fix for each, and the settings in force.
/// </summary>
public static class Doctor
{
    private const string ProbeFlag = "--probe";

    public static async Task<int> Run(IReadOnlyList<string> arguments)
    {
        var settings = SettingsReader.Read(
            [.. arguments.Where(argument => argument != ProbeFlag)], Environment.GetEnvironmentVariables());
        return arguments.Contains(ProbeFlag) ? await Probe(settings) : await Look(settings);
    }

    private static async Task<int> Look(Settings settings)
    {
        Console.WriteLine("Settings");
        foreach (var key in SettingKeys.All)
        {
            var (value, source) = settings.Values[key.Name];
            var shown = value is null ? "(unset)" : key.IsSecret ? "(set)" : value;
            Console.WriteLine($"  {key.Name,-30} {shown}  [{source}]");
        }

        Console.WriteLine($"  {"models",-30} {Serve.Describe(settings.ModelServices)}");
        var prerequisites = SandboxPrerequisites.Check(settings.Sandbox);
        var held = Print("Prerequisites", prerequisites);
        if (held)
        {
            var probes = await SandboxSelfTest.Run(settings.Sandbox, TimeProvider.System, CancellationToken.None);
            held = Print("Sandbox self-test", probes);
        }

        if (settings.Files.S3 is { } place)
        {
            Print("Files", [await FileSettings.Probe(place, CancellationToken.None)]);
        }

        Print("Drivers usable here", await DriverSurvey.Run(settings.Sandbox, TimeProvider.System));
        Print("Web tools", await WebCheck.Run(settings.Search, TimeProvider.System, CancellationToken.None));
        Print("What this machine lacks", SandboxPrerequisites.Lacks(settings.Sandbox));
        Console.WriteLine();
        Console.WriteLine(
            held ? "Tenon can serve here." : "Tenon will not serve here until the marked lines are mended.");
        return held ? 0 : 1;
    }

    /// <summary>
    /// <c>tenon doctor --probe</c>: every known way out of a sandbox is tried here. 1 when one was found.
    /// </summary>
    private static async Task<int> Probe(Settings settings)
    {
        if (!Print("Prerequisites", SandboxPrerequisites.Check(settings.Sandbox)))
        {
            return 1;
        }

        var results = await SandboxSelfTest.RunAll(settings.Sandbox, TimeProvider.System, CancellationToken.None);
        Console.WriteLine();
        Console.WriteLine("Probes (docs/operations/security.md says what each means)");
        foreach (var result in results)
        {
            Console.WriteLine(Line(result));
        }

        int Count(ProbeOutcome outcome) => results.Count(result => result.Outcome == outcome);
        Console.WriteLine();
        Console.WriteLine(
            $"{Count(ProbeOutcome.Held)} held, {Count(ProbeOutcome.Failed)} failed, "
            + $"{Count(ProbeOutcome.NotTried)} not tried.");
        return Count(ProbeOutcome.Failed) == 0 ? 0 : 1;
    }

    private static string Line(ProbeResult result) => result.Outcome switch
    {
        ProbeOutcome.Held => $"  \u2713 {result.Number,-4} {result.Name}",
        ProbeOutcome.NotTried => $"  - {result.Number,-4} {result.Name}: not tried: {result.Detail}",
        _ => $"  \u2717 {result.Number,-4} {result.Name}: it answered: {result.Detail}\n         {result.Fix}",
    };

    /// <summary>Refuses a start on a machine that cannot hold a sandbox.</summary>
    /// <exception cref="SettingsException">What is missing or does not hold, and what to type.</exception>
    public static async Task RefuseUnsafe(Settings settings, CancellationToken cancellationToken)
    {
        Refuse("Tenon cannot start", SandboxPrerequisites.Check(settings.Sandbox));
        if (!settings.AllowUnsafeSandbox)
        {
            Refuse("Tenon does not serve, because its sandbox does not hold here",
                await SandboxSelfTest.Run(settings.Sandbox, TimeProvider.System, cancellationToken));
        }
    }

    private static void Refuse(string what, IReadOnlyList<ProbeResult> results)
    {
        var broken = results.Where(result => !result.Held)
            .Select(result => $"\n  {result.Name}: {result.Detail}\n    {result.Fix}").ToList();
        if (broken.Count > 0)
        {
            throw new SettingsException(what + ":" + string.Concat(broken));
        }
    }

    private static bool Print(string title, IReadOnlyList<ProbeResult> results)
    {
        Console.WriteLine();
        Console.WriteLine(title);
        foreach (var result in results)
        {
            Console.WriteLine(result.Held
                ? $"  ok  {result.Name}"
                : $"  NO  {result.Name}: {result.Detail}\n      {result.Fix}");
        }

        return results.All(result => result.Held);
    }
}
