using System.Net;
using System.Net.Sockets;

namespace Tenon.Server.Egress;

/// <summary>Finds the addresses of a name.</summary>
public delegate Task<IPAddress[]> ResolveName(string host, CancellationToken cancellationToken);

/// <summary>
/// Finds addresses that a sandbox may be connected to. A name is resolved once and the address found is the one that is
/// dialled, so a name that answers differently the next time gains nothing.
/// </summary>
public sealed class AddressGuard(IReadOnlyList<IPNetwork> allowed, ResolveName resolve)
{
    /// <summary>Names with hundreds of addresses exist; a few are enough to connect.</summary>
    private const int AddressesMax = 8;

    /// <summary>Not the internet: this host, private, shared, link-local, documentation, multicast, reserved.</summary>
    private static readonly IPNetwork[] NotPublic =
    [
        .. ((string[])[
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            // IPv6 that leads back into IPv4 (Teredo, 6to4), benchmarks, ORCHID, documentation.
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        ]).Select(range => IPNetwork.Parse(range)),
    ];

    /// <summary>All of public IPv6: loopback, local and translated addresses are outside.</summary>
    private static readonly IPNetwork PublicV6 = IPNetwork.Parse("2000::/3");

    /// <summary>The addresses of the host that may be dialled; none when all of them are refused.</summary>
    /// <exception cref="SocketException">The name has no address.</exception>
    public async Task<IReadOnlyList<IPAddress>> Find(string host, CancellationToken cancellationToken)
    {
        var found = await resolve(host, cancellationToken);
        return [.. found.Where(Allows).Take(AddressesMax)];
    }

    public bool Allows(IPAddress address)
    {
        var plain = Plain(address);
        return IsOperators(plain)
            || (!NotPublic.Any(range => range.Contains(plain))
                && (plain.AddressFamily == AddressFamily.InterNetwork || PublicV6.Contains(plain)));
    }

    /// <summary>Whether the operator has named a range that the address is in.</summary>
    public bool IsOperators(IPAddress address) => allowed.Any(range => range.Contains(Plain(address)));

    private static IPAddress Plain(IPAddress address) =>
        address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
