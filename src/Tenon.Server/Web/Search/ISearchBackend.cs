using System.Text.Json;

namespace Tenon.Server.Web.Search;

/// <summary>What finds pages: a search service, or an index of one's own.</summary>
public interface ISearchBackend
{
    /// <summary>As it is called in settings.</summary>
    string Name { get; }

    /// <summary>
    /// The pages that answer the query, the best first. They may be more than are wanted, and may lie on sites that
    /// the agent may not see: who asked leaves those out.
    /// </summary>
    /// <exception cref="WebToolException">It does not answer; the message says why, and holds no key.</exception>
    Task<IReadOnlyList<SearchHit>> Search(SearchQuery query, CancellationToken cancellationToken);
}

/// <param name="Domains">For a service that can be told; the answer is judged by it in any case.</param>
/// <param name="Location">Where the user is, for a service that takes it.</param>
public sealed record SearchQuery(string Text, DomainList Domains, SearchLocation? Location);

/// <summary>A page that was found.</summary>
/// <param name="Passages">What it says about the query, the best first; none when nothing is known.</param>
/// <param name="Published">When it was written, in the service's words; null when unknown.</param>
public sealed record SearchHit(string Title, string Url, IReadOnlyList<string> Passages, string? Published);

/// <summary>About where the user is (api B.1). Everything may be left out.</summary>
public sealed record SearchLocation(string? City, string? Region, string? Country, string? Timezone)
{
    public static SearchLocation Of(JsonElement location) => new(
        JsonText.Member(location, "city"), JsonText.Member(location, "region"),
        JsonText.Member(location, "country"), JsonText.Member(location, "timezone"));
}
