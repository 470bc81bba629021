using System.Globalization;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Configuration;

/// <summary>What the settings say of sandboxes.</summary>
internal static class SandboxSettings
{
    /// <summary>Below are the system's own and its users'.</summary>
    private const int LowestUid = 10_000;

    /// <exception cref="SettingsException">A value that no sandbox can be started with.</exception>
    public static SandboxOptions Read(IReadOnlyDictionary<string, SettingValue> values, string dataDirectory)
    {
        var options = new SandboxOptions
        {
            DataDirectory = dataDirectory,
            HandPath = values[SettingKeys.Hand].Value!,
            WorkspaceTemplate = values[SettingKeys.WorkspaceTemplate].Value,
            Image = values[SettingKeys.Image].Value is { } image ? Path.GetFullPath(image).TrimEnd('/') : null,
            Driver = values[SettingKeys.Driver].Value!,
            OciRuntime = values[SettingKeys.OciRuntime].Value!,
            FirstUid = Number(SettingKeys.FirstUid),
            UidCount = Number(SettingKeys.UidCount),
            DiskBytes = Number(SettingKeys.DiskMegabytes) * 1024L * 1024,
            DiskFiles = Number(SettingKeys.DiskFiles),
            FreezeAfter = TimeSpan.FromSeconds(Number(SettingKeys.IdleSeconds)),
            EndAfter = TimeSpan.FromSeconds(Number(SettingKeys.EndSeconds)),
            Retention = TimeSpan.FromDays(Number(SettingKeys.RetentionDays)),
        };
        if (options.Image is not null && !File.Exists(options.Image + "/usr/bin/bash"))
        {
            throw Wrong(SettingKeys.Image, "it has no usr/bin/bash; ./tenon image build makes a system");
        }

        if (!SandboxDrivers.Kinds.Contains(options.Driver))
        {
            throw Wrong(SettingKeys.Driver, $"there are {string.Join(" and ", SandboxDrivers.Kinds)}");
        }

        if (options.OciRuntime.Contains('/', StringComparison.Ordinal)
            && !Path.IsPathFullyQualified(options.OciRuntime))
        {
            throw Wrong(SettingKeys.OciRuntime, "give a name, or a path from the root");
        }

        if (options.FirstUid < LowestUid)
        {
            throw Wrong(SettingKeys.FirstUid, $"the lowest is {LowestUid}; others are the system's and its users'");
        }

        // The one after the range is SetupUid.
        return options.UidCount >= 1 && options.UidCount < int.MaxValue - options.FirstUid
            ? options
            : throw Wrong(SettingKeys.UidCount, $"there are 1 to {int.MaxValue - options.FirstUid - 1} such uids");

        int Number(string key) => int.TryParse(
            values[key].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw Wrong(key, "give a number");

        SettingsException Wrong(string key, string reason) =>
            new($"{key} ({values[key].Source}): '{values[key].Value}' cannot be used; {reason}.");
    }
}
