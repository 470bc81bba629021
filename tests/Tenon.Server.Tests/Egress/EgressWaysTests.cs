using System.Net;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>
/// Every way out that a program could take, tried in a sandbox of each driver in a limited environment. The table in
/// <c>docs/operations/egress.md</c> is these rows.
/// </summary>
public sealed class EgressWaysTests
{
    /// <summary>What curl prints when it got no answer at all.</summary>
    private const string None = "000";

    public static TheoryData<string> Drivers => [.. SandboxLab.Drivers];

    [Theory]
    [MemberData(nameof(Drivers))]
    public async Task Each_way_out_has_its_verdict(string driver)
    {
        await using var host = await EchoHost.Start(certificate: null);
        await using var egress = new EgressLab { Resolve = Resolve };
        await using var lab = new SandboxLab(options => SandboxLab.With(options, driver), egress: egress.Proxy);
        var port = host.Port;
        egress.Limit(
            $"one.test:{port}", $"*.wild.test:{port}", $"private.test:{port}", $"metadata.test:{port}",
            $"mapped.test:{port}", $"unique.test:{port}");
        var sandbox = await lab.Open();

        var tried = new List<string>();
        foreach (var (way, command, _) in Ways(port))
        {
            tried.Add($"{way}: {(await lab.Bash(sandbox, command)).Text().Trim()}");
        }

        Assert.Equal(Ways(port).Select(way => $"{way.Name}: {way.Outcome}"), tried);
        // Nothing but the four that are allowed came to the host.
        Assert.Equal(4, host.Got.Count);
        var lines = await egress.EndedAudit(atLeast: Ways(port).Count(way => way.Outcome != None));
        Assert.Equal(
            ["a.wild.test", "one.test", "one.test", "one.test"],
            lines.Where(line => line.Verdict == "allowed").Select(line => line.Host).Order());
    }

    private static IReadOnlyList<(string Name, string Command, string Outcome)> Ways(int port) =>
    [
        ("an allowed host", Curl($"http://one.test:{port}/echo"), "200"),
        ("a tunnel to it", Curl($"--proxytunnel http://one.test:{port}/echo"), "200"),
        ("a host below a wildcard", Curl($"http://a.wild.test:{port}/echo"), "200"),
        ("the name of the wildcard itself", Curl($"http://wild.test:{port}/echo"), "403"),
        ("another host", Curl($"http://two.test:{port}/echo"), "403"),
        ("a tunnel to another host", Tunnel($"http://two.test:{port}/echo"), "403"),
        ("another port of an allowed host", Curl($"http://one.test:{port + 1}/echo"), "403"),
        ("an address", Raw($"GET http://127.0.0.1:{port}/echo", $"127.0.0.1:{port}"), "403"),
        ("an address as one number", Raw($"GET http://2130706433:{port}/echo", $"2130706433:{port}"), "403"),
        ("an address in hexadecimal", Raw($"GET http://0x7f.1:{port}/echo", $"0x7f.1:{port}"), "403"),
        ("an IPv6 address", Raw($"GET http://[::1]:{port}/echo", $"[::1]:{port}"), "403"),
        ("a tunnel to an address", Raw($"CONNECT 127.0.0.1:{port}", $"127.0.0.1:{port}"), "403"),
        ("an allowed name with a private address", Curl($"http://private.test:{port}/"), "403"),
        ("an allowed name with the metadata address", Curl($"http://metadata.test:{port}/"), "403"),
        ("an allowed name with a private address mapped into IPv6", Curl($"http://mapped.test:{port}/"), "403"),
        ("an allowed name with a private IPv6 address", Curl($"http://unique.test:{port}/"), "403"),
        ("a Host that is not the target's", Raw($"GET http://one.test:{port}/echo", "two.test"), "400"),
        ("two lengths of one body",
            Raw($"POST http://one.test:{port}/echo", $"one.test:{port}",
                "Content-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n"), "400"),
        ("another host over a connection that was allowed", Twice(port), "200 403"),
        ("straight to the host, past the proxy", Curl($"--noproxy '*' http://127.0.0.1:{port}/echo"), None),
        ("a name, past the proxy", Curl($"--noproxy '*' http://one.test:{port}/echo"), None),
    ];

    private static string Curl(string arguments) =>
        $"curl -s -o /dev/null -w '%{{http_code}}' {arguments}; true";

    private static string Tunnel(string url) =>
        $"curl -s -o /dev/null -w '%{{http_connect}}' --proxytunnel {url}; true";

    /// <summary>The status of a request that is written byte by byte.</summary>
    private static string Raw(string line, string host, string more = "") =>
        $"exec 3<>/dev/tcp/127.0.0.1/3128; printf '{line} HTTP/1.1\\r\\nHost: {host}\\r\\n{more}\\r\\n' >&3; "
        + "read -r _ status _ <&3; exec 3>&-; echo $status";

    /// <summary>Two requests that a client sends one after the other.</summary>
    private static string Twice(int port) =>
        "curl -s -o /dev/null -o /dev/null -w '%{http_code} ' "
        + $"http://one.test:{port}/echo http://two.test:{port}/echo; true";

    private static Task<IPAddress[]> Resolve(string host, CancellationToken cancellationToken) =>
        Task.FromResult<IPAddress[]>([host switch
        {
            "private.test" => IPAddress.Parse("10.0.0.5"),
            "metadata.test" => IPAddress.Parse("169.254.169.254"),
            "mapped.test" => IPAddress.Parse("::ffff:10.0.0.5"),
            "unique.test" => IPAddress.Parse("fd00::1"),
            _ => IPAddress.Loopback,
        }]);
}
