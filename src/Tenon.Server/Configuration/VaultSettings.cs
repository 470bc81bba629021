using System.Diagnostics;
using Tenon.Server.Vaults;

namespace Tenon.Server.Configuration;

/// <summary>Where the keys that seal the secrets of vaults come from (docs/operations/vaults.md).</summary>
public static class VaultSettings
{
    /// <summary>In the data folder, unless the settings name another place.</summary>
    public const string FileName = "vault.key";

    /// <summary>A service that keeps keys answers within seconds, or somebody must look at it.</summary>
    private static readonly TimeSpan CommandTimeMax = TimeSpan.FromSeconds(30);

    /// <exception cref="SettingsException">Two places are named.</exception>
    public static void Check(IReadOnlyDictionary<string, SettingValue> values)
    {
        var named = new[] { SettingKeys.VaultKeyFile, SettingKeys.VaultKey, SettingKeys.VaultKeyCommand }
            .Where(key => values[key].Value is { Length: > 0 }).ToList();
        if (named.Count > 1)
        {
            throw new SettingsException(
                $"Set only one of {string.Join(", ", named)}: the vaults' keys come from one place.");
        }
    }

    /// <exception cref="IOException">They cannot be read; the message says what to do.</exception>
    public static VaultKeys Open(Settings settings) =>
        settings[SettingKeys.VaultKey] is { Length: > 0 } text ? VaultKeys.FromText(text, SettingKeys.VaultKey)
        : settings[SettingKeys.VaultKeyCommand] is { Length: > 0 } command
            ? VaultKeys.FromText(Output(command), SettingKeys.VaultKeyCommand)
            : VaultKeys.FromFile(PathOf(settings));

    /// <summary><c>tenon vault-key</c>: the next start of the server seals with a new key.</summary>
    public static int AddKey(IReadOnlyList<string> arguments)
    {
        var settings = SettingsReader.Read(arguments, Environment.GetEnvironmentVariables());
        if (settings[SettingKeys.VaultKey] is not null || settings[SettingKeys.VaultKeyCommand] is not null)
        {
            throw new SettingsException(
                "The vaults' keys do not come from a file: put the new key before the others where they come from.");
        }

        Directory.CreateDirectory(settings.DataDirectory);
        VaultKeys.AddToFile(PathOf(settings));
        Console.WriteLine($"""
            {PathOf(settings)} has a new key. Restart the server: it seals every stored secret with it and says so.
            After that the older lines can be taken out; backups made before need them.
            """);
        return 0;
    }

    private static string PathOf(Settings settings) =>
        settings[SettingKeys.VaultKeyFile] ?? Path.Combine(settings.DataDirectory, FileName);

    private static string Output(string command)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command])
        {
            RedirectStandardOutput = true,
        })!;
        using var late = new CancellationTokenSource(CommandTimeMax);
        using var ending = late.Token.Register(() => process.Kill(entireProcessTree: true));
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (late.IsCancellationRequested)
        {
            throw new IOException(
                $"{SettingKeys.VaultKeyCommand} took longer than {CommandTimeMax.TotalSeconds:0} seconds.");
        }

        return process.ExitCode == 0 ? output
            : throw new IOException($"{SettingKeys.VaultKeyCommand} ended with {process.ExitCode}.");
    }
}
