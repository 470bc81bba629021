using Tenon.Server.Environments;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>What one session's sandbox may reach by name (api B.5). Addresses are judged by <see cref="AddressGuard"/>.
/// </summary>
public sealed class EgressRules
{
    private readonly bool _isLimited;
    private readonly IReadOnlyList<HostPattern> _allowed;

    private EgressRules(bool isLimited, IReadOnlyList<HostPattern> allowed) =>
        (_isLimited, _allowed) = (isLimited, allowed);

    /// <summary>For a session whose environment is gone.</summary>
    public static EgressRules Nothing { get; } = new(true, []);

    /// <param name="mcpHosts">Hosts of the agent's MCP servers.</param>
    /// <param name="ownHosts">Hosts that the session itself was given, such as those of its repositories.</param>
    public static EgressRules Of(
        Networking networking, IReadOnlyList<HostPattern> mcpHosts, EgressOptions options,
        IReadOnlyList<HostPattern>? ownHosts = null)
    {
        if (networking.Type != "limited")
        {
            return new EgressRules(false, []);
        }

        var allowed = (networking.AllowedHosts ?? []).Select(HostPattern.Parse).Concat(ownHosts ?? []).ToList();
        if (networking.AllowPackageManagers == true)
        {
            allowed.AddRange(PackageHosts.Public);
            allowed.AddRange(options.PackageHosts);
        }

        if (networking.AllowMcpServers == true)
        {
            allowed.AddRange(mcpHosts);
        }

        return new EgressRules(true, allowed);
    }

    /// <summary>Whether only what is allowed by name can be reached.</summary>
    public bool IsLimited => _isLimited;

    /// <summary>Whether some host of the pattern can be reached.</summary>
    public bool Reaches(HostPattern hosts) => !_isLimited || _allowed.Any(hosts.Overlaps);

    /// <summary>Why the host cannot be reached; null when it can.</summary>
    /// <param name="host">As <see cref="HostName.TryParse"/> gives it.</param>
    public string? Refuse(string host, int port) =>
        !_isLimited || _allowed.Any(pattern => pattern.Matches(host, port)) ? null
        : _allowed.Any(pattern => HostPattern.DefaultPorts.Any(usual => pattern.Matches(host, usual)))
            ? $"the environment allows {host} on ports {string.Join(" and ", HostPattern.DefaultPorts)}, not {port}"
        : $"the environment's networking does not allow {host}; add it to allowed_hosts";
}
