using System.Net;
using System.Security.Cryptography.X509Certificates;
using Tenon.Server.Environments;

namespace Tenon.Server.Egress;

/// <summary>What the operator says about the way out of sandboxes.</summary>
public sealed record EgressOptions
{
    /// <summary>
    /// Addresses that sandboxes may reach although they are private, such as those of a mirror, and so may requests
    /// that the server makes for agents. Which names lead there is still for the environment to allow. Default: none.
    /// </summary>
    public IReadOnlyList<IPNetwork> AllowedRanges { get; init; } = [];

    /// <summary>Hosts of package managers beside the public ones, such as mirrors. Default: none.</summary>
    public IReadOnlyList<HostPattern> PackageHosts { get; init; } = [];

    /// <summary>
    /// Authorities that the proxy and sandboxes trust beside the public ones, such as a company's own. Default: none.
    /// </summary>
    public IReadOnlyList<X509Certificate2> ExtraRoots { get; init; } = [];
}
