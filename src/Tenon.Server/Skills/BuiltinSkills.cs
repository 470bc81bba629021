using System.Globalization;
using System.Security.Cryptography;
using Tenon.Wire.Skills;

namespace Tenon.Server.Skills;

/// <summary>The skills that ship with the server, each in its one version.</summary>
public sealed class BuiltinSkills
{
    /// <summary>The version of all of them: the day on which one of them last changed.</summary>
    private const string Version = "20261128";

    private const string ResourcePrefix = "skills/";

    private static readonly DateTimeOffset MadeAt =
        DateTimeOffset.ParseExact(Version, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    private readonly Lazy<IReadOnlyDictionary<string, BuiltinSkill>> _all = new(Load);

    /// <summary>In the order of their names.</summary>
    public IEnumerable<BuiltinSkill> All => _all.Value.Values;

    public BuiltinSkill? Find(string skillId) => _all.Value.GetValueOrDefault(skillId);

    /// <summary>
    /// The version, if it is this one, <c>latest</c>, or one of an earlier server: agents and sessions that were made
    /// with that go on with this one's.
    /// </summary>
    public static bool Has(string version) => version is Version or SkillCatalog.Latest
        || (version.Length == Version.Length && version.All(char.IsAsciiDigit)
            && string.CompareOrdinal(version, Version) < 0);

    private static SortedDictionary<string, BuiltinSkill> Load()
    {
        var assembly = typeof(BuiltinSkills).Assembly;
        var files = assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Select(name =>
            {
                using var stream = assembly.GetManifestResourceStream(name)!;
                var content = new byte[stream.Length];
                stream.ReadExactly(content);
                return new SkillFile(name[ResourcePrefix.Length..], content, content.AsSpan().StartsWith("#!"u8));
            });
        return new SortedDictionary<string, BuiltinSkill>(
            files.GroupBy(file => file.Path.Split('/')[0]).Select(Make).ToDictionary(skill => skill.Name),
            StringComparer.Ordinal);
    }

    private static BuiltinSkill Make(IEnumerable<SkillFile> files)
    {
        var bundle = SkillBundleRules.Check([.. files]);
        var zip = bundle.ToZip();
        return new BuiltinSkill(bundle.Name, zip, new SkillVersion
        {
            Id = Version, SkillId = bundle.Name, Name = bundle.Name, Description = bundle.Description,
            CreatedAt = MadeAt,
        });
    }
}

/// <summary>A skill that ships with the server. Its name is its id.</summary>
public sealed record BuiltinSkill(string Name, byte[] Zip, SkillVersion Version)
{
    /// <summary>Another one for other files, whatever their version says.</summary>
    public string Key { get; } = $"{Name}-{Convert.ToHexStringLower(SHA256.HashData(Zip))[..16]}";

    /// <summary>What it is called in a list.</summary>
    public Skill ToWire() => new()
    {
        Id = Name, DisplayName = Name, LatestVersionId = Version.Id,
        Source = new SkillSource { Type = SkillSource.Anthropic },
        CreatedAt = Version.CreatedAt, UpdatedAt = Version.CreatedAt,
    };
}
