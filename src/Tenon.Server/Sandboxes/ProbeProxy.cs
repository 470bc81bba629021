using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Tenon.Server.Egress;
using Tenon.Wire;
using Tenon.Wire.Environments;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The way out while probes run: it allows one name, which leads to a listener of its own, and names that lead to
/// places which it must refuse. No packet is sent to any of those.
/// </summary>
internal sealed class ProbeProxy : IAsyncDisposable
{
    /// <summary>The name that may be reached.</summary>
    public const string Allowed = "allowed.test";

    private const string HostAddress = "127.0.0.2";

    private readonly TcpListener _listener = new(IPAddress.Parse(HostAddress), 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    public ProbeProxy(TimeProvider time)
    {
        _listener.Start();
        _serving = Serve();
        var options = new EgressOptions { AllowedRanges = [IPNetwork.Parse(HostAddress + "/32")] };
        var rules = EgressRules.Of(
            new Networking { Type = "limited", AllowedHosts = [$"{Allowed}:{Port}", .. Bound.Keys] }, [], options);
        Proxy = new EgressProxy(
            options, (_, _) => Task.FromResult(rules), (_, _) => ValueTask.CompletedTask, new IdSource(time), time,
            NullLogger<EgressProxy>.Instance)
        {
            Resolver = (name, _) => Task.FromResult((IPAddress[])[IPAddress.Parse(
                name == Allowed ? HostAddress : Bound[name])]),
        };
    }

    /// <summary>Names that are allowed, and the addresses that they are bound to.</summary>
    public static IReadOnlyDictionary<string, string> Bound { get; } = new Dictionary<string, string>
    {
        ["loopback.test"] = "127.0.0.1",
        ["loopback6.test"] = "::1",
        ["mapped.test"] = "::ffff:127.0.0.1",
        ["private.test"] = "10.0.0.1",
        ["metadata.test"] = "169.254.169.254",
    };

    public EgressProxy Proxy { get; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    /// <summary>Answers the first words of each connection, one connection after the other.</summary>
    private async Task Serve()
    {
        var words = new byte[4096];
        while (true)
        {
            using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            await using var stream = client.GetStream();
            if (await stream.ReadAsync(words, _stop.Token) > 0)
            {
                await stream.WriteAsync("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n"u8.ToArray(), _stop.Token);
            }
        }
    }
}
