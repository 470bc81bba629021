using Microsoft.EntityFrameworkCore;
using Tenon.Server.Files;
using Tenon.Server.Storage;
using Tenon.Wire.Skills;

namespace Tenon.Server.Skills;

/// <summary>Skills that clients have uploaded, and which sessions have them.</summary>
/// <remarks>
/// The blob is there before its row, and goes after it: a crash leaves a stray blob, never a version without files.
/// A version that is deleted is seen by nobody; its files stay while a session has it. Changes take turns, so that no
/// version comes to a skill that goes.
/// </remarks>
public sealed class SkillStore(IDbContextFactory<TenonContext> contexts, IBlobStore blobs, TimeProvider clock)
    : IDisposable
{
    private readonly SemaphoreSlim _changes = new(1, 1);

    public void Dispose() => _changes.Dispose();

    /// <summary>Makes a skill of its first version.</summary>
    public Task Insert(Skill skill, SkillVersion version, byte[] zip, CancellationToken cancellationToken) =>
        Keep(version, zip, context =>
        {
            context.Skills.Add(new SkillRow
            {
                Id = skill.Id, Name = version.Name, DisplayName = skill.DisplayName,
                CreatedAt = skill.CreatedAt.ToMicroseconds(), UpdatedAt = skill.UpdatedAt.ToMicroseconds(),
            });
            return Task.FromResult(true);
        }, cancellationToken);

    /// <summary>False when the skill is no more.</summary>
    public Task<bool> AddVersion(SkillVersion version, byte[] zip, CancellationToken cancellationToken) =>
        Keep(version, zip, context => Touch(context, version.SkillId, cancellationToken), cancellationToken);

    public async Task<Skill?> Find(string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return (await ToSkills(context, context.Skills.Where(row => row.Id == id), cancellationToken))
            .SingleOrDefault();
    }

    /// <summary>Newest first, what is older than <paramref name="before"/>; one more than asked for if there are more.
    /// </summary>
    public async Task<IReadOnlyList<Skill>> List(string? before, int limit, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = context.Skills.Where(row => before == null || string.Compare(row.Id, before) < 0)
            .Where(row => context.SkillVersions.Any(version => version.SkillId == row.Id && !version.IsDeleted))
            .OrderByDescending(row => row.Id).Take(limit + 1);
        return await ToSkills(context, rows, cancellationToken);
    }

    /// <summary>The versions of these ids, and the newest one of each of these skills.</summary>
    public async Task<IReadOnlyList<SkillVersion>> FindVersions(
        IReadOnlyCollection<string> ids, IReadOnlyCollection<string> newestOf, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var there = context.SkillVersions.AsNoTracking().Where(row => !row.IsDeleted);
        var newest = there.Where(row => newestOf.Contains(row.SkillId)).GroupBy(row => row.SkillId)
            .Select(versions => versions.Max(row => row.Id));
        var found = await there.Where(row => ids.Contains(row.Id) || newest.Contains(row.Id))
            .ToListAsync(cancellationToken);
        return found.ConvertAll(ToVersion);
    }

    /// <summary>Newest first, what is older than <paramref name="before"/>; one more than asked for if there are more.
    /// </summary>
    public async Task<IReadOnlyList<SkillVersion>> ListVersions(
        string skillId, string? before, int limit, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var found = await context.SkillVersions.AsNoTracking()
            .Where(row => row.SkillId == skillId && !row.IsDeleted)
            .Where(row => before == null || string.Compare(row.Id, before) < 0)
            .OrderByDescending(row => row.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return found.ConvertAll(ToVersion);
    }

    /// <summary>Deletes a skill with all its versions. False when it is not there.</summary>
    public async Task<bool> Delete(string id, CancellationToken cancellationToken)
    {
        var there = false;
        await Alone(async context =>
        {
            there = await context.Skills.Where(row => row.Id == id).ExecuteDeleteAsync(cancellationToken) > 0;
            await context.SkillVersions.Where(row => row.SkillId == id)
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.IsDeleted, true), cancellationToken);
            return await RemoveUnused(context, cancellationToken);
        }, cancellationToken);
        return there;
    }

    /// <summary>Deletes a version, but for the last one of its skill.</summary>
    public async Task<VersionDeletion> DeleteVersion(
        string skillId, string versionId, CancellationToken cancellationToken)
    {
        var outcome = VersionDeletion.NotFound;
        await Alone(async context =>
        {
            var versions = await context.SkillVersions.Where(row => row.SkillId == skillId && !row.IsDeleted)
                .ToListAsync(cancellationToken);
            if (versions.SingleOrDefault(row => row.Id == versionId) is not { } version)
            {
                return [];
            }

            outcome = versions.Count == 1 ? VersionDeletion.LastOne : VersionDeletion.Done;
            if (outcome == VersionDeletion.LastOne)
            {
                return [];
            }

            version.IsDeleted = true;
            await Touch(context, skillId, cancellationToken);
            await context.SaveChangesAsync(cancellationToken);
            return await RemoveUnused(context, cancellationToken);
        }, cancellationToken);
        return outcome;
    }

    /// <summary>A session that is about to be made has these versions: their files stay for it.</summary>
    /// <returns>False when one of them is no more; then nothing was written.</returns>
    public async Task<bool> Use(
        string sessionId, IReadOnlyCollection<string> versionIds, CancellationToken cancellationToken)
    {
        var wanted = versionIds.ToHashSet();
        var done = wanted.Count == 0;
        if (!done)
        {
            await Alone(async context =>
            {
                done = await context.SkillVersions.CountAsync(
                    row => wanted.Contains(row.Id), cancellationToken) == wanted.Count;
                context.SessionSkills.AddRange((done ? wanted : []).Select(
                    id => new SessionSkillRow { SessionId = sessionId, VersionId = id }));
                await context.SaveChangesAsync(cancellationToken);
                return [];
            }, cancellationToken);
        }

        return done;
    }

    /// <summary>A session is no more.</summary>
    public async Task Release(string sessionId, CancellationToken cancellationToken)
    {
        // Most sessions have none, and need not wait for their turn.
        await using (var looking = await contexts.CreateDbContextAsync(cancellationToken))
        {
            if (!await looking.SessionSkills.AnyAsync(row => row.SessionId == sessionId, cancellationToken))
            {
                return;
            }
        }

        await Alone(async context =>
        {
            await context.SessionSkills.Where(row => row.SessionId == sessionId).ExecuteDeleteAsync(cancellationToken);
            return await RemoveUnused(context, cancellationToken);
        }, cancellationToken);
    }

    /// <summary>For the start of a server: forgets sessions that are no more, and what only they had.</summary>
    public Task Sweep(CancellationToken cancellationToken) => Alone(async context =>
    {
        await context.SessionSkills.Where(row => !context.Sessions.Any(session => session.Id == row.SessionId))
            .ExecuteDeleteAsync(cancellationToken);
        var unused = await RemoveUnused(context, cancellationToken);

        // A backup that was made while the last version went has only the skill.
        await context.Skills.Where(row => !context.SkillVersions.Any(version => version.SkillId == row.Id))
            .ExecuteDeleteAsync(cancellationToken);
        return unused;
    }, cancellationToken);

    private async Task<bool> Keep(
        SkillVersion version, byte[] zip, Func<TenonContext, Task<bool>> place, CancellationToken cancellationToken)
    {
        await using var blob = blobs.Begin(version.Id);
        await blob.Stream.WriteAsync(zip, cancellationToken);
        await blob.Keep(cancellationToken);
        var done = false;
        try
        {
            await Alone(async context =>
            {
                if (await place(context))
                {
                    context.SkillVersions.Add(ToRow(version));
                    await context.SaveChangesAsync(cancellationToken);
                    done = true;
                }

                return [];
            }, cancellationToken);
            return done;
        }
        finally
        {
            // Whatever went wrong, there is no version of it.
            blobs.Delete(done ? [] : [version.Id]);
        }
    }

    private async Task<bool> Touch(TenonContext context, string skillId, CancellationToken cancellationToken)
    {
        if (await context.Skills.SingleOrDefaultAsync(row => row.Id == skillId, cancellationToken) is not { } skill)
        {
            return false;
        }

        skill.UpdatedAt = clock.GetUtcNow().ToMicroseconds();
        return true;
    }

    /// <summary>Removes deleted versions that no session has. Their blobs go once that is durable.</summary>
    private static async Task<IReadOnlyList<string>> RemoveUnused(
        TenonContext context, CancellationToken cancellationToken)
    {
        var unused = await context.SkillVersions
            .Where(row => row.IsDeleted && !context.SessionSkills.Any(use => use.VersionId == row.Id))
            .Select(row => row.Id).ToListAsync(cancellationToken);
        await context.SkillVersions.Where(row => unused.Contains(row.Id)).ExecuteDeleteAsync(cancellationToken);
        return unused;
    }

    /// <param name="change">Answers which blobs nothing names any more.</param>
    private async Task Alone(
        Func<TenonContext, Task<IReadOnlyList<string>>> change, CancellationToken cancellationToken)
    {
        await _changes.WaitAsync(cancellationToken);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            var unnamed = await change(context);
            await transaction.CommitAsync(cancellationToken);
            blobs.Delete(unnamed);
        }
        finally
        {
            _changes.Release();
        }
    }

    private static async Task<IReadOnlyList<Skill>> ToSkills(
        TenonContext context, IQueryable<SkillRow> rows, CancellationToken cancellationToken)
    {
        var found = await rows.AsNoTracking().Select(row => new
        {
            Row = row,
            Newest = context.SkillVersions.Where(version => version.SkillId == row.Id && !version.IsDeleted)
                .Max(version => version.Id),
        }).ToListAsync(cancellationToken);
        return [.. found.Where(skill => skill.Newest is not null).Select(skill => new Skill
        {
            Id = skill.Row.Id,
            DisplayName = skill.Row.DisplayName,
            LatestVersionId = skill.Newest!,
            Source = new SkillSource { Type = SkillSource.Custom },
            CreatedAt = Microseconds.FromMicroseconds(skill.Row.CreatedAt),
            UpdatedAt = Microseconds.FromMicroseconds(skill.Row.UpdatedAt),
        })];
    }

    private static SkillVersionRow ToRow(SkillVersion version) => new()
    {
        Id = version.Id, SkillId = version.SkillId, Name = version.Name, Description = version.Description,
        CreatedAt = version.CreatedAt.ToMicroseconds(),
    };

    private static SkillVersion ToVersion(SkillVersionRow row) => new()
    {
        Id = row.Id, SkillId = row.SkillId, Name = row.Name, Description = row.Description,
        CreatedAt = Microseconds.FromMicroseconds(row.CreatedAt),
    };
}

/// <summary>What came of the wish to delete a version.</summary>
public enum VersionDeletion
{
    Done,
    NotFound,

    /// <summary>A skill has one version at least, so it was left.</summary>
    LastOne,
}
