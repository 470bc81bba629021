using System.Collections;
using System.Globalization;
using Tenon.Server.Files;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Configuration;

/// <summary>What the settings say of files, and whether their store can be used.</summary>
internal static class FileSettings
{
    public const string Folder = "folder";
    public const string S3 = "s3";

    private const string AnyRegion = "us-east-1";
    private const long Megabyte = 1024 * 1024;

    /// <summary>A bucket's name as every service takes it.</summary>
    private const int BucketCharsMax = 63;

    private const string Check = "The store of the files";

    /// <exception cref="SettingsException">What is missing, or cannot be.</exception>
    public static FileStorage Read(IReadOnlyDictionary<string, SettingValue> values, IDictionary variables) => new()
    {
        BytesMax = Number(values, SettingKeys.FileMegabytes) * Megabyte,
        S3 = values[SettingKeys.FilesStore].Value switch
        {
            Folder => null,
            S3 => Place(values, variables),
            _ => throw Wrong(values, SettingKeys.FilesStore, $"there are {Folder} and {S3}"),
        },
    };

    /// <summary>Writes an object, reads it, and deletes it; of a folder the disk is checked elsewhere.</summary>
    public static async Task<ProbeResult> Probe(S3Place place, CancellationToken cancellationToken)
    {
        var name = $"doctor-{Guid.NewGuid():N}";
        var file = Path.GetTempFileName();
        try
        {
            using var s3 = new S3Client(place);
            await s3.Put(name, file, cancellationToken);
            using (var read = await s3.Get(name, 0, cancellationToken))
            {
                await s3.Delete([name], cancellationToken);
                return read is not null
                    ? new ProbeResult($"{Check}: {place}", true, "", "")
                    : new ProbeResult(Check, false, $"{place} did not give back what was written to it.",
                        "The bucket may expire or hide new objects; give Tenon one of its own.");
            }
        }
        catch (BlobsAwayException exception)
        {
            // What the doctor is asked for.
            return new ProbeResult(Check, false, $"{place}: {exception.Message}",
                "See docs/operations/files.md for the rights that the credentials need.");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static S3Place Place(IReadOnlyDictionary<string, SettingValue> values, IDictionary variables)
    {
        var endpoint = Endpoint(values[SettingKeys.S3Endpoint]);
        var bucket = values[SettingKeys.S3Bucket].Value is { Length: > 0 and <= BucketCharsMax } name
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_')
                ? name : throw Wrong(values, SettingKeys.S3Bucket, $"with {SettingKeys.FilesStore} s3, name a bucket");
        var prefix = values[SettingKeys.S3Prefix].Value!;
        if (prefix.Length > 200 || !prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '/'))
        {
            throw Wrong(values, SettingKeys.S3Prefix, "use letters, digits and - . _ /");
        }

        return new S3Place
        {
            Bucket = bucket,
            Prefix = prefix,
            Endpoint = endpoint,
            Region = values[SettingKeys.S3Region].Value ?? Variable("AWS_REGION") ?? Variable("AWS_DEFAULT_REGION")
                ?? (endpoint is not null ? AnyRegion
                    : throw Wrong(values, SettingKeys.S3Region, "name the bucket's region, also by AWS_REGION")),
            AccessKeyId = Secret("AWS_ACCESS_KEY_ID"),
            SecretAccessKey = Secret("AWS_SECRET_ACCESS_KEY"),
            SessionToken = Variable("AWS_SESSION_TOKEN"),
            CacheBytesMax = Number(values, SettingKeys.S3CacheMegabytes) * Megabyte,
        };

        string? Variable(string variable) => variables[variable] is string { Length: > 0 } value ? value : null;

        string Secret(string variable) => Variable(variable) ?? throw new SettingsException(
            $"{SettingKeys.FilesStore} is s3, and the variable {variable} is not set.");
    }

    private static Uri? Endpoint(SettingValue setting)
    {
        if (setting.Value is not { Length: > 0 } text)
        {
            return null;
        }

        // Not quoted: somebody may have put a secret into it.
        return Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            && url.UserInfo.Length == 0
                ? url : throw new SettingsException($"{SettingKeys.S3Endpoint} ({setting.Source}): "
                    + "give a URL with http or https, and without credentials.");
    }

    // That it is one was checked with its range.
    private static long Number(IReadOnlyDictionary<string, SettingValue> values, string key) =>
        long.Parse(values[key].Value!, NumberStyles.None, CultureInfo.InvariantCulture);

    private static SettingsException Wrong(
        IReadOnlyDictionary<string, SettingValue> values, string key, string reason) =>
        new($"{key} ({values[key].Source}): '{values[key].Value}' cannot be used; {reason}.");
}
