using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Images;
using Tenon.Server.Repositories;

namespace Tenon.Server.Configuration;

/// <summary>What the settings say of the way out, and of where packages come from.</summary>
internal static class EgressSettings
{
    /// <exception cref="SettingsException">A value that is no range, host, URL or file of certificates.</exception>
    public static EgressOptions Read(IReadOnlyDictionary<string, SettingValue> values, PackageMirrors mirrors) => new()
    {
        AllowedRanges = List(values, SettingKeys.AllowedRanges, IPNetwork.Parse),
        PackageHosts = [.. List(values, SettingKeys.PackageHosts, HostPattern.Parse), .. mirrors.Hosts],
        ExtraRoots = ReadRoots(values[SettingKeys.ExtraRoots]),
    };

    /// <exception cref="SettingsException">A value that is no URL.</exception>
    public static PackageMirrors ReadMirrors(IReadOnlyDictionary<string, SettingValue> values) => new()
    {
        Apt = values[SettingKeys.AptMirror].Value,
        Cargo = Url(values, SettingKeys.CargoMirror),
        Gem = Url(values, SettingKeys.GemMirror),
        Go = Url(values, SettingKeys.GoMirror),
        Npm = Url(values, SettingKeys.NpmMirror),
        Pip = Url(values, SettingKeys.PipMirror),
    };

    /// <exception cref="SettingsException">A value that is no host.</exception>
    public static RepositoryOptions ReadRepositories(IReadOnlyDictionary<string, SettingValue> values) =>
        new() { Hosts = List(values, SettingKeys.RepositoryHosts, HostPattern.Parse) };

    private static IReadOnlyList<X509Certificate2> ReadRoots(SettingValue setting)
    {
        var roots = new X509Certificate2Collection();
        if (setting.Value is { } path)
        {
            try
            {
                roots.ImportFromPemFile(path);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException
                or CryptographicException)
            {
                throw new SettingsException($"{SettingKeys.ExtraRoots} ({setting.Source}): {exception.Message}");
            }

            if (roots.Count == 0)
            {
                throw new SettingsException(
                    $"{SettingKeys.ExtraRoots} ({setting.Source}): {path} has no certificate in PEM.");
            }
        }

        return [.. roots];
    }

    private static Uri? Url(IReadOnlyDictionary<string, SettingValue> values, string key) =>
        Parse(values, key, text => text.Length == 0 ? null : PackageMirrors.ParseUrl(text));

    private static IReadOnlyList<T> List<T>(
        IReadOnlyDictionary<string, SettingValue> values, string key, Func<string, T> parse) =>
        Parse(values, key, text => (IReadOnlyList<T>)[.. text.Split(
            ',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(parse)]);

    private static T Parse<T>(
        IReadOnlyDictionary<string, SettingValue> values, string key, Func<string, T> parse)
    {
        try
        {
            return parse(values[key].Value ?? "");
        }
        catch (FormatException exception)
        {
            throw new SettingsException($"{key} ({values[key].Source}): {exception.Message}");
        }
    }
}
