using System.Net;
using Tenon.Server.Environments;

namespace Tenon.Server.Egress;

/// <summary>What the operator says about the way out of sandboxes.</summary>
public sealed record EgressOptions
{
    /// <summary>
    /// Addresses that sandboxes may reach although they are private, such as those of a mirror. Which names lead
    /// there is still for the environment to allow. Default: none.
    /// </summary>
    public IReadOnlyList<IPNetwork> AllowedRanges { get; init; } = [];

    /// <summary>Hosts of package managers beside the public ones, such as mirrors. Default: none.</summary>
    public IReadOnlyList<HostPattern> PackageHosts { get; init; } = [];
}
