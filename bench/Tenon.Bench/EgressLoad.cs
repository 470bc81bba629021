using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Tenon.Wire.Content;

namespace Tenon.Bench;

/// <summary>
/// What the way out costs: curl in a sandbox, through the relay and the proxy of a whole server, to a host on loopback,
/// by turns with curl outside straight to the same host.
/// </summary>
internal static class EgressLoad
{
    private const string Name = "egress";
    private const int Requests = 200;
    private const int RequestRounds = 8;
    private const int LargeRounds = 5;
    private const long LargeBytes = 512L * 1024 * 1024;
    private const string Passed = "passed.test";
    private const string Ended = "ended.test";

    public static async Task Run(BenchRun run)
    {
        using var authority = new TestAuthority();
        await using var plain = await EgressHost.Start(LargeBytes, null);
        await using var secure = await EgressHost.Start(LargeBytes, authority.Certify(Passed, Ended));
        await using var server = await run.StartServer(
            _ => throw new InvalidOperationException("no model is asked"), services => Replace(
                services, authority, [$"{Ended}:{plain.Port}", $"{Ended}:{secure.Port}"]));
        var sandbox = await server.Services.GetRequiredService<SandboxProvider>().Open(
            await server.NewSession(await server.NewAgent()), CancellationToken.None);
        await Small(run, sandbox, "plain HTTP", $"http://{Passed}:{plain.Port}", plain.Port, reach: 5);
        var ended = $"https://{Ended}:{secure.Port}";
        await Small(run, sandbox, "TLS that ends at the proxy", ended, secure.Port, reach: 5);
        await Large(run, sandbox, "a tunnel", $"-p http://{Passed}:{plain.Port}", plain.Port);
        await Large(run, sandbox, "plain HTTP", $"http://{Passed}:{plain.Port}", plain.Port);
        await Large(run, sandbox, "plain HTTP, scrubbed", $"http://{Ended}:{plain.Port}", plain.Port);
        await Large(run, sandbox, "a tunnel with TLS in it", $"https://{Passed}:{secure.Port}", secure.Port);
        await Large(run, sandbox, "TLS that ends at the proxy, scrubbed", ended, secure.Port);
    }

    /// <summary>Requests over one connection, one after the other.</summary>
    private static async Task Small(
        BenchRun run, ISandbox sandbox, string what, string url, int port, double reach)
    {
        var (through, direct) = (new Figures(what), new Figures("straight to the host"));
        var (medians, tails) = (new List<double>(), new List<double>());
        for (var round = -2; round < RequestRounds; round++)
        {
            const string How = " -w '%{time_total}\\n' ";
            var straight = Times(await Outside(How + Direct(url, port, $"/small?[1-{Requests}]")));
            var led = Times(await Inside(sandbox, How + $"'{url}/small?[1-{Requests}]'"));
            if (round < 0)
            {
                continue;
            }

            straight.ForEach(direct.Add);
            led.ForEach(through.Add);
            medians.Add(At(led, 0.50) - At(straight, 0.50));
            tails.Add(At(led, 0.99) - At(straight, 0.99));
        }

        run.Add(new Measure
        {
            Name = Name, What = $"added to a request, {what}, p50", Here = Figures.Median(medians), Unit = "ms",
            Reach = reach, Floor = direct.P50, FloorIs = direct.Name, Ratio = through.P50 / direct.P50,
        });
        run.Add(new Measure
        {
            Name = Name, What = $"added to a request, {what}, p99", Here = Figures.Median(tails), Unit = "ms",
            Reach = reach, Floor = direct.At(0.99), FloorIs = direct.Name,
        });
    }

    private static async Task Large(BenchRun run, ISandbox sandbox, string what, string url, int port)
    {
        const string How = " -w '%{speed_download}\\n' ";
        var (through, direct, ratios) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = -1; round < LargeRounds; round++)
        {
            var straight = Speed(await Outside(How + Direct(url, port, "/large")));
            var led = Speed(await Inside(sandbox, How + $"{url}/large"));
            if (round >= 0)
            {
                through.Add(led);
                direct.Add(straight);
                ratios.Add(led / straight);
            }
        }

        run.Add(new Measure
        {
            Name = Name, What = $"a download, {what}", Here = Figures.Median(through), Unit = "MB/s", Reach = 200,
            MoreIsBetter = true, Floor = Figures.Median(direct), FloorIs = "straight from the host",
            Ratio = Figures.Median(ratios),
        });
    }

    private static string Direct(string url, int port, string path) =>
        $"-k '{(url.Contains("https", StringComparison.Ordinal) ? "https" : "http")}://127.0.0.1:{port}{path}'";

    private static async Task<string> Outside(string how)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", ["-c", $"curl -sS -o /dev/null {how}"])
        {
            RedirectStandardOutput = true,
        })!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return said;
    }

    private static async Task<string> Inside(ISandbox sandbox, string how)
    {
        var id = $"call_{Guid.NewGuid():N}";
        var input = JsonSerializer.SerializeToElement(new { command = $"curl -sS -o /dev/null {how}" });
        var output = await sandbox.Call(new SandboxCall(id, "bash", input), CancellationToken.None);
        await sandbox.Forget(id, CancellationToken.None);
        return output.Content.OfType<TextBlock>().Single().Text;
    }

    /// <summary>Without the first, which opened the connection.</summary>
    private static List<TimeSpan> Times(string said) => said.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => TimeSpan.FromSeconds(double.Parse(line, CultureInfo.InvariantCulture))).Skip(1).ToList() is
        { Count: Requests - 1 } times
            ? times
            : throw new InvalidOperationException($"curl said: {said}");

    private static double Speed(string said) => double.Parse(said, CultureInfo.InvariantCulture) / 1e6;

    private static double At(List<TimeSpan> times, double share) =>
        times.Order().ElementAt((int)(share * times.Count)).TotalMilliseconds;

    private static void Replace(IServiceCollection services, TestAuthority authority, string[] hosts)
    {
        var options = new EgressOptions
        {
            AllowedRanges = [IPNetwork.Parse("127.0.0.0/8")], ExtraRoots = [authority.Root],
        };
        IReadOnlyList<EgressCredential> credentials =
        [
            new()
            {
                Id = "cred_1", Name = "API_KEY", Secret = "a secret of the benchmark",
                Hosts = [.. hosts.Select(HostPattern.Parse)],
            },
        ];
        services.AddSingleton(options)
            .AddSingleton<CredentialsOf>((_, _) => Task.FromResult(credentials))
            .AddSingleton(provider => new EgressProxy(
                options, provider.GetRequiredService<RulesOf>(), provider.GetRequiredService<NoteEgress>(),
                provider.GetRequiredService<IdSource>(), TimeProvider.System,
                provider.GetRequiredService<ILogger<EgressProxy>>(), provider.GetRequiredService<EgressEdge>())
            {
                Resolver = (_, _) => Task.FromResult((IPAddress[])[IPAddress.Loopback]),
            });
    }
}
