using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Skills;

namespace Tenon.Server.Skills;

/// <summary>Skills and their versions (api A.12).</summary>
public static class SkillsApi
{
    private const int PageDefault = 20;
    private const int PageMax = 1_000;

    public static void MapSkills(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/skills", Create);
        routes.MapGet("/v1/skills", List);
        routes.MapGet("/v1/skills/{id}", Get);
        routes.MapDelete("/v1/skills/{id}", Delete);
        routes.MapPost("/v1/skills/{id}/versions", CreateVersion);
        routes.MapGet("/v1/skills/{id}/versions", ListVersions);
        routes.MapGet("/v1/skills/{id}/versions/{version}", GetVersion);
        routes.MapDelete("/v1/skills/{id}/versions/{version}", DeleteVersion);
        routes.MapGet("/v1/skills/{id}/versions/{version}/content", Download);
    }

    private static async Task<IResult> Create(
        HttpRequest request, SkillStore store, IdSource ids, TimeProvider clock, CancellationToken cancellationToken)
    {
        var input = await SkillUploadInput.Read(request.ContentType, request.Body, cancellationToken);
        var version = VersionOf(ids.Next(IdPrefix.Skill), input.Bundle, ids, clock);
        var skill = new Skill
        {
            Id = version.SkillId,
            DisplayName = input.DisplayName ?? version.Name,
            LatestVersionId = version.Id,
            Source = new SkillSource { Type = SkillSource.Custom },
            CreatedAt = version.CreatedAt,
            UpdatedAt = version.CreatedAt,
        };
        await store.Insert(skill, version, input.Bundle.ToZip(), cancellationToken);
        return Body.Json(skill, WireJson.Default.Skill);
    }

    private static async Task<IResult> CreateVersion(
        string id, HttpRequest request, SkillCatalog catalog, SkillStore store, IdSource ids, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var newest = await FindVersion(catalog, id, SkillCatalog.Latest, cancellationToken);
        RefuseShipped(catalog, id, "takes no versions");
        var input = await SkillUploadInput.Read(request.ContentType, request.Body, cancellationToken);
        if (input.Bundle.Name != newest.Name)
        {
            throw ApiException.Invalid("files",
                $"SKILL.md: the name '{input.Bundle.Name}' is not the skill's, '{newest.Name}', which cannot change.");
        }

        var version = VersionOf(id, input.Bundle, ids, clock);
        return await store.AddVersion(version, input.Bundle.ToZip(), cancellationToken)
            ? Body.Json(version, WireJson.Default.SkillVersion)
            : throw ApiException.NotFound("Skill", id);
    }

    private static async Task<IResult> Get(string id, SkillCatalog catalog, CancellationToken cancellationToken) =>
        Body.Json(
            await catalog.Find(id, cancellationToken) ?? throw ApiException.NotFound("Skill", id),
            WireJson.Default.Skill);

    private static async Task<IResult> GetVersion(
        string id, string version, SkillCatalog catalog, CancellationToken cancellationToken) =>
        Body.Json(await FindVersion(catalog, id, version, cancellationToken), WireJson.Default.SkillVersion);

    private static async Task<IResult> Download(
        string id, string version, SkillCatalog catalog, CancellationToken cancellationToken)
    {
        RefuseLatest(version);
        var found = await FindVersion(catalog, id, version, cancellationToken);
        var content = await catalog.Open(id, found.Id, cancellationToken)
            ?? throw ApiException.NotFound($"Version '{version}' of skill", id);
        return TypedResults.Stream(content, "application/zip", $"{found.Name}.zip");
    }

    private static async Task<IResult> Delete(
        string id, SkillCatalog catalog, SkillStore store, CancellationToken cancellationToken)
    {
        RefuseShipped(catalog, id, "cannot be deleted");
        return await store.Delete(id, cancellationToken)
            ? Body.Json(new Deleted { Id = id, Type = "skill_deleted" }, WireJson.Default.Deleted)
            : throw ApiException.NotFound("Skill", id);
    }

    private static async Task<IResult> DeleteVersion(
        string id, string version, SkillCatalog catalog, SkillStore store, CancellationToken cancellationToken)
    {
        RefuseShipped(catalog, id, "cannot be deleted");
        RefuseLatest(version);
        return await store.DeleteVersion(id, version, cancellationToken) switch
        {
            VersionDeletion.Done => Body.Json(
                new Deleted { Id = version, Type = "skill_version_deleted" }, WireJson.Default.Deleted),
            VersionDeletion.LastOne => throw ApiException.Invalid("",
                $"Version '{version}' is the only one of skill '{id}', which must have one: delete the skill."),
            _ => throw ApiException.NotFound($"Version '{version}' of skill", id),
        };
    }

    private static async Task<IResult> List(
        HttpRequest request, SkillCatalog catalog, CancellationToken cancellationToken)
    {
        var source = request.Text("source") is { Length: > 0 } text ? text : null;
        if (source is not (null or SkillSource.Custom or SkillSource.Anthropic or "anthropic_example" or "plugin"))
        {
            throw ApiException.Invalid(
                "source", $"'{source}' is not one of custom, anthropic, anthropic_example, plugin.");
        }

        var list = $"skills:{source}";
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var after = Cursor.Of(request, list, descending: true)?.Position;
        var found = await catalog.List(source, after, limit, cancellationToken);
        return Body.Json(Page(found, limit, list, skill => skill.Id), WireJson.Default.PageSkill);
    }

    private static async Task<IResult> ListVersions(
        string id, HttpRequest request, SkillCatalog catalog, SkillStore store, CancellationToken cancellationToken)
    {
        var newest = await FindVersion(catalog, id, SkillCatalog.Latest, cancellationToken);
        var list = $"skill_versions:{id}";
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var before = Cursor.Of(request, list, descending: true)?.Position;
        var found = catalog.IsShipped(id) ? [newest] : await store.ListVersions(id, before, limit, cancellationToken);
        return Body.Json(Page(found, limit, list, version => version.Id), WireJson.Default.PageSkillVersion);
    }

    private static Page<T> Page<T>(IReadOnlyList<T> found, int limit, string list, Func<T, string> idOf) => new()
    {
        Data = [.. found.Take(limit)],
        NextPage = found.Count > limit ? new Cursor(list, true, false, idOf(found[limit - 1])).ToString() : null,
    };

    private static async Task<SkillVersion> FindVersion(
        SkillCatalog catalog, string id, string version, CancellationToken cancellationToken) =>
        await catalog.FindVersion(id, version, cancellationToken) ?? throw ApiException.NotFound(
            version == SkillCatalog.Latest ? "Skill" : $"Version '{version}' of skill", id);

    private static SkillVersion VersionOf(string skillId, SkillBundle bundle, IdSource ids, TimeProvider clock) => new()
    {
        Id = ids.Next(IdPrefix.SkillVersion), SkillId = skillId, Name = bundle.Name, Description = bundle.Description,
        CreatedAt = clock.GetUtcNow(),
    };

    private static void RefuseShipped(SkillCatalog catalog, string id, string what)
    {
        if (catalog.IsShipped(id))
        {
            throw ApiException.Invalid("", $"Skill '{id}' ships with the server and {what}.");
        }
    }

    /// <summary>Only what reads a version takes the word (api A.12): what it stands for may change meanwhile.</summary>
    private static void RefuseLatest(string version)
    {
        if (version == SkillCatalog.Latest)
        {
            throw ApiException.Invalid("", "'latest' can be read, and nothing else: give the id of the version.");
        }
    }
}
