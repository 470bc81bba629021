using Tenon.Server.Http;
using Tenon.Wire.Environments;

namespace Tenon.Server.Environments;

/// <summary>What an environment may be (api B.5), and how an update merges into it.</summary>
public static class EnvironmentRules
{
    private const int NameMax = 256;

    private const int PackagesMax = 200;
    private const int PackageCharsMax = 300;

    /// <summary>Each is compared with every request of a sandbox.</summary>
    private const int AllowedHostsMax = 1_000;

    public static EnvironmentRecord Check(EnvironmentRecord environment)
    {
        if (environment.Name.Length is 0 or > NameMax)
        {
            throw ApiException.Invalid("name", $"must have 1 to {NameMax} characters.");
        }

        if (environment.Scope is not ("organization" or "account"))
        {
            throw ApiException.Invalid("scope", $"'{environment.Scope}' is neither organization nor account.");
        }

        Metadata.Check(environment.Metadata);
        return environment with { Config = Resolve(environment.Config) };
    }

    /// <summary>The stored configuration with the given fields replaced; what is left out stays.</summary>
    public static EnvironmentConfig Merge(EnvironmentConfig stored, EnvironmentConfigPatch? patch)
    {
        if (patch?.Type is { } type && type != stored.Type)
        {
            throw ApiException.Invalid(
                "config.type", $"an environment cannot change from {stored.Type} to {type}.",
                "invalid_config_type_change");
        }

        return stored with
        {
            Networking = Merge(stored.Networking, patch?.Networking),
            Packages = Merge(stored.Packages, patch?.Packages),
        };
    }

    private static EnvironmentConfig Resolve(EnvironmentConfig config)
    {
        switch (config.Type)
        {
            case "self_hosted" when config.Networking is null && config.Packages is null:
                return config;
            case "self_hosted":
                throw ApiException.Invalid("config", "a self_hosted environment has no networking and no packages.");
            case "cloud":
                break;
            default:
                throw ApiException.Invalid("config.type", $"'{config.Type}' is neither cloud nor self_hosted.");
        }

        var networking = Resolve(config.Networking ?? new Networking { Type = "unrestricted" });
        var packages = config.Packages ?? new Packages();
        IReadOnlyList<string>?[] lists =
            [packages.Apt, packages.Cargo, packages.Gem, packages.Go, packages.Npm, packages.Pip];
        string[] names = ["apt", "cargo", "gem", "go", "npm", "pip"];
        foreach (var (list, name) in lists.Zip(names))
        {
            ApiException.RefuseNulls($"config.packages.{name}", list);
            CheckPackages($"config.packages.{name}", list ?? []);
        }

        if (lists.Any(list => list?.Count > 0) && networking is { Type: "limited", AllowPackageManagers: not true })
        {
            throw ApiException.Invalid(
                "config.packages", "packages under limited networking need allow_package_managers.");
        }

        return config with
        {
            Networking = networking,
            Packages = new Packages
            {
                Type = "packages",
                Apt = packages.Apt ?? [],
                Cargo = packages.Cargo ?? [],
                Gem = packages.Gem ?? [],
                Go = packages.Go ?? [],
                Npm = packages.Npm ?? [],
                Pip = packages.Pip ?? [],
            },
        };
    }

    private static void CheckPackages(string path, IReadOnlyList<string> names)
    {
        if (names.Count > PackagesMax)
        {
            throw ApiException.Invalid(path, $"at most {PackagesMax} are allowed.");
        }

        for (var i = 0; i < names.Count; i++)
        {
            // A word that a package manager would take for an option, or for two words, is no name.
            if (names[i].Length is 0 or > PackageCharsMax || names[i][0] == '-'
                || names[i].Any(c => char.IsControl(c) || char.IsWhiteSpace(c)))
            {
                throw ApiException.Invalid($"{path}.{i}",
                    $"'{names[i]}' is not the name of a package, with its version as the package manager writes it.");
            }
        }
    }

    private static Networking Resolve(Networking networking)
    {
        ApiException.RefuseNulls("config.networking.allowed_hosts", networking.AllowedHosts);
        if (networking.AllowedHosts?.Count > AllowedHostsMax)
        {
            throw ApiException.Invalid("config.networking.allowed_hosts", $"at most {AllowedHostsMax} are allowed.");
        }

        for (var i = 0; i < networking.AllowedHosts?.Count; i++)
        {
            try
            {
                _ = HostPattern.Parse(networking.AllowedHosts[i]);
            }
            catch (FormatException exception)
            {
                throw ApiException.Invalid($"config.networking.allowed_hosts.{i}", exception.Message);
            }
        }

        return Fill(networking);
    }

    private static Networking Fill(Networking networking) => networking.Type switch
    {
        "unrestricted" => new Networking { Type = "unrestricted" },
        "limited" => networking with
        {
            AllowedHosts = networking.AllowedHosts ?? [],
            AllowMcpServers = networking.AllowMcpServers ?? false,
            AllowPackageManagers = networking.AllowPackageManagers ?? false,
        },
        _ => throw ApiException.Invalid(
            "config.networking.type", $"'{networking.Type}' is neither unrestricted nor limited."),
    };

    private static Networking? Merge(Networking? stored, Networking? patch)
    {
        if (patch is null || stored?.Type != patch.Type)
        {
            return patch ?? stored;
        }

        return patch with
        {
            AllowedHosts = patch.AllowedHosts ?? stored.AllowedHosts,
            AllowMcpServers = patch.AllowMcpServers ?? stored.AllowMcpServers,
            AllowPackageManagers = patch.AllowPackageManagers ?? stored.AllowPackageManagers,
        };
    }

    private static Packages? Merge(Packages? stored, Packages? patch) => patch is null ? stored : new Packages
    {
        Apt = patch.Apt ?? stored?.Apt,
        Cargo = patch.Cargo ?? stored?.Cargo,
        Gem = patch.Gem ?? stored?.Gem,
        Go = patch.Go ?? stored?.Go,
        Npm = patch.Npm ?? stored?.Npm,
        Pip = patch.Pip ?? stored?.Pip,
    };
}
