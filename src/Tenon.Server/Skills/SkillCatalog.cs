using Tenon.Server.Files;
using Tenon.Wire;
using Tenon.Wire.Skills;

namespace Tenon.Server.Skills;

/// <summary>All skills: those that ship with the server, and those that clients have uploaded.</summary>
public sealed class SkillCatalog(SkillStore store, BuiltinSkills builtin, IBlobStore blobs)
{
    /// <summary>Stands for the newest version.</summary>
    public const string Latest = "latest";

    public bool IsShipped(string id) => builtin.Find(id) is not null;

    public async Task<Skill?> Find(string id, CancellationToken cancellationToken) =>
        builtin.Find(id)?.ToWire() ?? await store.Find(id, cancellationToken);

    public async Task<SkillVersion?> FindVersion(string skillId, string version, CancellationToken cancellationToken)
    {
        if (builtin.Find(skillId) is { } known)
        {
            return BuiltinSkills.Has(version) ? known.Version : null;
        }

        var found = version == Latest
            ? await store.FindVersions([], [skillId], cancellationToken)
            : await store.FindVersions([version], [], cancellationToken);
        return found.SingleOrDefault(one => one.SkillId == skillId);
    }

    /// <summary>
    /// Those that were uploaded, newest first, and then those that ship with the server; one more than asked for when
    /// there are more.
    /// </summary>
    /// <param name="source">Of <see cref="SkillSource"/>; null for both, any other for none.</param>
    /// <param name="after">The last skill of the page before.</param>
    public async Task<IReadOnlyList<Skill>> List(
        string? source, string? after, int limit, CancellationToken cancellationToken)
    {
        var isAmongBuiltin = after?.StartsWith(IdPrefix.Skill, StringComparison.Ordinal) == false;
        var custom = source is null or SkillSource.Custom && !isAmongBuiltin
            ? await store.List(after, limit, cancellationToken) : [];
        var shipped = source is null or SkillSource.Anthropic ? builtin.All : [];
        return
        [
            .. custom.Concat(shipped.Where(skill =>
                    !isAmongBuiltin || string.CompareOrdinal(skill.Name, after) > 0)
                .Select(skill => skill.ToWire())).Take(limit + 1),
        ];
    }

    /// <summary>The version's zip; null when its bytes are gone.</summary>
    /// <exception cref="Storage.BlobsAwayException">They cannot be reached.</exception>
    public async Task<Stream?> Open(string skillId, string version, CancellationToken cancellationToken) =>
        builtin.Find(skillId) is { } known
            ? new MemoryStream(known.Zip, writable: false)
            : await blobs.Open(version, cancellationToken);

    /// <summary>A name for the version's files on this machine: other files have another one.</summary>
    public string KeyOf(string skillId, string version) => builtin.Find(skillId)?.Key ?? version;
}
