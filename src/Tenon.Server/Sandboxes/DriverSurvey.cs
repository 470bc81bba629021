using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>Which drivers are usable on this machine, and how fast each starts a sandbox.</summary>
public static class DriverSurvey
{
    private const int Starts = 5;

    private static readonly string[] KnownRuntimes = ["runc", "crun", "runsc"];

    /// <summary>One line a driver: those that are set or installed, the set one first.</summary>
    public static async Task<IReadOnlyList<ProbeResult>> Run(SandboxOptions options, TimeProvider time)
    {
        var results = new List<ProbeResult>();
        foreach (var candidate in Candidates(options with { WorkspaceTemplate = null }))
        {
            results.Add(await Look(candidate, time));
        }

        return results;
    }

    private static IEnumerable<SandboxOptions> Candidates(SandboxOptions options) => KnownRuntimes
        .Where(runtime => OciRuntime.Of(runtime).Path is not null).Prepend(options.OciRuntime)
        .Select(runtime => options with { Driver = OciDriver.Kind, OciRuntime = runtime })
        .Prepend(options with { Driver = BubblewrapDriver.Kind })
        .DistinctBy(candidate => candidate.Driver + OciRuntime.Of(candidate.OciRuntime).Name)
        .OrderByDescending(candidate => candidate.Driver == options.Driver);

    private static async Task<ProbeResult> Look(SandboxOptions options, TimeProvider time)
    {
        var driver = SandboxDrivers.Of(options, new SandboxFiles(options), time);
        if (driver.Check().FirstOrDefault(result => !result.Held) is { } missing)
        {
            return missing with { Name = $"{driver.Name}: {missing.Name}" };
        }

        var milliseconds = new List<double>();
        await using var provider = new SandboxProvider(options, time);
        var session = $"survey-{Guid.NewGuid():N}";
        try
        {
            for (var i = 0; i < Starts; i++)
            {
                var start = time.GetTimestamp();
                await provider.Open(session, CancellationToken.None);
                milliseconds.Add(time.GetElapsedTime(start).TotalMilliseconds);
                await provider.Stop(session, CancellationToken.None);
            }
        }
        catch (SandboxException exception)
        {
            // Told like a lack, which it is.
            return new ProbeResult(
                $"{driver.Name} starts a sandbox", false, exception.Message, "Choose another driver.");
        }
        finally
        {
            await provider.Destroy(session, CancellationToken.None);
        }

        return new ProbeResult(string.Create(
            CultureInfo.InvariantCulture,
            $"{driver.Name}: a sandbox answers after {milliseconds.Order().ElementAt(Starts / 2):0} ms"), true, "", "");
    }
}
