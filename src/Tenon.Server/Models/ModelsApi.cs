using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Models;

namespace Tenon.Server.Models;

/// <summary>
/// The models that Tenon knows by name (api A.12). A session may name any other that its service has.
/// </summary>
public static class ModelsApi
{
    private const int PageDefault = 20;
    private const int PageMax = 1_000;

    public static void MapModels(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/models", List);
        routes.MapGet("/v1/models/{id}", Get);
    }

    private static IResult List(HttpRequest request, ModelCatalog catalog)
    {
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var lifecycles = request.Words("lifecycle", "active", "deprecated", "retired");
        var all = lifecycles.Count == 0 || lifecycles.Contains("active") ? catalog.All.Select(ToWire).ToList() : [];
        var before = request.Text("before_id");
        var from = Index(all, request.Text("after_id"), "after_id") + 1;
        var to = before is null ? all.Count : Index(all, before, "before_id");
        var rest = all[from..Math.Max(from, to)];
        var page = before is null ? rest.Take(limit).ToList() : rest.TakeLast(limit).ToList();
        return Body.Json(new IdPage<ModelInfo>
        {
            Data = page,
            HasMore = rest.Count > limit,
            FirstId = page.Count > 0 ? page[0].Id : null,
            LastId = page.Count > 0 ? page[^1].Id : null,
        }, WireJson.Default.IdPageModelInfo);
    }

    private static IResult Get(string id, ModelCatalog catalog) => catalog.Knows(id)
        ? Body.Json(ToWire(catalog.Find(id)), WireJson.Default.ModelInfo)
        : throw ApiException.NotFound("Model", id);

    private static int Index(List<ModelInfo> models, string? id, string parameter) => id is null
        ? -1
        : models.FindIndex(model => model.Id == id) is >= 0 and var index
            ? index
            : throw ApiException.Invalid(parameter, $"'{id}' is not a model of this list.");

    private static ModelInfo ToWire(CatalogModel model) => new()
    {
        Id = model.Id,
        DisplayName = model.DisplayName,
        CreatedAt = model.CreatedAt,
        Line = model.Line,
        MaxInputTokens = model.MaxInputTokens,
        MaxTokens = model.MaxTokens,
    };
}
