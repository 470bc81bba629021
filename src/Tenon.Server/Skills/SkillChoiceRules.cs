using Tenon.Server.Http;
using Tenon.Wire.Agents;
using Tenon.Wire.Skills;

namespace Tenon.Server.Skills;

/// <summary>The skills that an agent names (api B.1): all must be there, and <c>latest</c> becomes a version.</summary>
public sealed class SkillChoiceRules(SkillStore store, BuiltinSkills builtin)
{
    /// <summary>The references with the versions that they stand for now.</summary>
    /// <param name="path">Of the list in the request.</param>
    /// <exception cref="ApiException">400: a skill, or a version, is not there.</exception>
    public async Task<IReadOnlyList<SkillReference>> Resolve(
        string path, IReadOnlyList<SkillReference> references, CancellationToken cancellationToken) =>
        [.. (await Find(path, references, cancellationToken)).Select((version, i) =>
            references[i] with { Version = version.Id })];

    /// <summary>The versions, in the order of the references.</summary>
    /// <exception cref="ApiException">400: a skill, or a version, is not there.</exception>
    public async Task<IReadOnlyList<SkillVersion>> Find(
        string path, IReadOnlyList<SkillReference> references, CancellationToken cancellationToken)
    {
        var custom = references.Where(reference => reference.Type == SkillSource.Custom).ToLookup(IsLatest);
        var found = references.Count == 0 ? [] : await store.FindVersions(
            [.. custom[false].Select(reference => reference.Version!)],
            [.. custom[true].Select(reference => reference.SkillId)], cancellationToken);
        return [.. references.Select((reference, i) => reference.Type == SkillSource.Anthropic
            ? Shipped($"{path}.{i}", reference)
            : Uploaded($"{path}.{i}", reference, found))];
    }

    private SkillVersion Shipped(string path, SkillReference reference)
    {
        var skill = builtin.Find(reference.SkillId) ?? throw ApiException.Invalid($"{path}.skill_id",
            $"no skill '{reference.SkillId}' ships with this server; these do: "
            + $"{string.Join(", ", builtin.All.Select(one => one.Name))}.");
        return BuiltinSkills.Has(reference.Version ?? SkillCatalog.Latest)
            ? skill.Version : throw NoVersion(path, reference);
    }

    private static SkillVersion Uploaded(string path, SkillReference reference, IReadOnlyList<SkillVersion> found)
    {
        var versions = found.Where(version => version.SkillId == reference.SkillId).ToList();
        return IsLatest(reference)
            ? versions.MaxBy(version => version.Id, StringComparer.Ordinal) ?? throw ApiException.Invalid(
                $"{path}.skill_id", $"skill '{reference.SkillId}' was not found.")
            : versions.Find(version => version.Id == reference.Version) ?? throw NoVersion(path, reference);
    }

    private static bool IsLatest(SkillReference reference) => reference.Version is null or SkillCatalog.Latest;

    private static ApiException NoVersion(string path, SkillReference reference) => ApiException.Invalid(
        $"{path}.version", $"version '{reference.Version}' of skill '{reference.SkillId}' was not found.");
}
