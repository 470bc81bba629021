using Tenon.Server.Environments;
using Tenon.Server.Http;
using Tenon.Wire;

namespace Tenon.Server.Images;

/// <summary>How far the packages of an environment are: Tenon's own (docs/operations/images.md).</summary>
public static class PackagesApi
{
    public static void MapPackages(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/v1/environments/{id}/packages", Get);

    private static async Task<IResult> Get(
        string id, EnvironmentStore store, IServiceProvider services, CancellationToken cancellationToken)
    {
        var environment = await store.Find(id, cancellationToken) ?? throw EnvironmentsApi.NotFound(id);
        return Body.Json(
            services.GetRequiredService<PackageLayers>().StateOf(id, environment.Config.Packages ?? new()),
            WireJson.Default.EnvironmentPackages);
    }
}
