namespace Tenon.Server.Repositories;

/// <summary>Why a repository is not there, as clients are told (api C.6).</summary>
public sealed record RepositoryFault(string Type, string Message)
{
    public const string Checkout = "repository_checkout_error";

    private const int SaidCharsMax = 2_000;

    /// <summary>What the end of git's words means.</summary>
    /// <param name="said">All that it said, in English.</param>
    public static RepositoryFault OfFetch(string said, bool hasToken)
    {
        said = said.Trim();
        said = said.Length <= SaidCharsMax ? said : said[^SaidCharsMax..];
        return Has("Authentication failed") || Has("could not read Username") || Has("error: 401")
                ? new RepositoryFault("repository_authentication_error", hasToken
                    ? "the host refused the token. Give another one: POST …/resources/{id} with authorization_token."
                    : "the host asks for a login, and the resource has no authorization_token.")
            : Has("error: 403") ? new RepositoryFault("repository_forbidden_error",
                "the token may not read this repository. Give one that may.")
            : Has("not found") || Has("error: 404") ? new RepositoryFault("repository_not_found_error",
                "the host has no such repository, or does not show it to this token.")
            : Has("no such commit") ? new RepositoryFault(Checkout, "the repository has no such commit.")
            : new RepositoryFault("repository_clone_error", $"git said: {said}");

        bool Has(string words) => said.Contains(words, StringComparison.Ordinal);
    }
}
