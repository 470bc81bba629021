using System.Text;
using Tenon.Server.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Repositories;

/// <summary>Which repositories a session may have, and where (api B.3).</summary>
public static class RepositoryRules
{
    public const string Kind = "github_repository";

    /// <summary>Each is cloned before the first call runs; more would make a session that never starts.</summary>
    private const int RepositoriesMax = 20;

    // The proxy cannot tell a shorter one from ordinary text, and servers take no longer ones in a header.
    private const int TokenCharsMin = 8;
    private const int TokenCharsMax = 8 * 1024;

    private const int PathBytesMax = 1_024;
    private const int BranchBytesMax = 255;
    private const string Workspace = "/workspace";

    /// <summary>The repositories that are asked for; they have no ids yet.</summary>
    /// <param name="asked">Resources of every kind: others are left alone.</param>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static IReadOnlyList<AskedRepository> Check(
        IReadOnlyList<ResourceCreate> asked, RepositoryOptions options)
    {
        var found = new List<AskedRepository>();
        for (var i = 0; i < asked.Count; i++)
        {
            if (asked[i].Type == Kind)
            {
                var repository = Check($"resources.{i}", asked[i], options);
                if (found.Find(other => IsWithin(other.MountPath, repository.MountPath)
                    || IsWithin(repository.MountPath, other.MountPath)) is { } taken)
                {
                    throw ApiException.Invalid($"resources.{i}.mount_path",
                        $"'{repository.MountPath}' and '{taken.MountPath}' are not beside each other.");
                }

                found.Add(found.Count < RepositoriesMax ? repository
                    : throw ApiException.Invalid($"resources.{i}", $"at most {RepositoriesMax} repositories."));
            }
        }

        return found;
    }

    public static string CheckToken(string path, string token) =>
        token.Length is >= TokenCharsMin and <= TokenCharsMax && token.All(c => c is > ' ' and <= '~') ? token
            : throw ApiException.Invalid(
                path, $"must be {TokenCharsMin} to {TokenCharsMax} visible ASCII characters.");

    private static AskedRepository Check(string path, ResourceCreate asked, RepositoryOptions options)
    {
        var text = asked.Url ?? throw ApiException.Invalid($"{path}.url", "field required");
        var url = RepositoryUrl.TryParse(text, options) ?? throw ApiException.Invalid($"{path}.url",
            "must be https://github.com/<owner>/<repo> without .git, or the https URL of a repository on a host that "
            + "the operator allows (repositories.hosts).");
        return new AskedRepository(
            url, CheckMount($"{path}.mount_path", asked.MountPath ?? $"{Workspace}/{url.Name}"),
            asked.Checkout is { } checkout ? CheckCheckout($"{path}.checkout", checkout) : null,
            asked.AuthorizationToken is { } token ? CheckToken($"{path}.authorization_token", token) : null);
    }

    private static string CheckMount(string path, string mount)
    {
        var parts = mount.TrimEnd('/').Split('/');
        return parts is ["", "workspace", _, ..] && parts[2..].All(part => part is not ("" or "." or "..")
            && !part.Any(char.IsControl)) && Encoding.UTF8.GetByteCount(mount) <= PathBytesMax
                ? mount.TrimEnd('/')
                : throw ApiException.Invalid(path, $"must be a directory below {Workspace}, without '..', empty names "
                    + $"or control characters, of at most {PathBytesMax} bytes.");
    }

    private static RepositoryCheckout CheckCheckout(string path, RepositoryCheckout checkout) => checkout switch
    {
        { Type: "branch", Name: { } name, Sha: null } => IsBranch(name) ? checkout
            : throw ApiException.Invalid($"{path}.name", "is not the name of a branch."),
        { Type: "commit", Sha: { } sha, Name: null } =>
            sha.Length is 40 or 64 && sha.All(char.IsAsciiHexDigitLower) ? checkout
                : throw ApiException.Invalid($"{path}.sha", "must be the whole id of a commit, in small letters."),
        _ => throw ApiException.Invalid(
            path, "must be {\"type\":\"branch\",\"name\":…} or {\"type\":\"commit\",\"sha\":…}."),
    };

    // As git check-ref-format has it.
    private static bool IsBranch(string name) => name.Length > 0 && Encoding.UTF8.GetByteCount(name) <= BranchBytesMax
        && name[0] is not ('-' or '/') && name[^1] is not ('/' or '.') && name != "@"
        && !name.Any(c => char.IsControl(c) || c is ' ' or '~' or '^' or ':' or '?' or '*' or '[' or '\\')
        && !name.Contains("..", StringComparison.Ordinal) && !name.Contains("@{", StringComparison.Ordinal)
        && name.Split('/').All(part => part.Length > 0 && part[0] != '.'
            && !part.EndsWith(".lock", StringComparison.Ordinal));

    private static bool IsWithin(string outer, string path) =>
        path == outer || path.StartsWith(outer + "/", StringComparison.Ordinal);
}

/// <param name="Token">Null for a public one.</param>
public sealed record AskedRepository(RepositoryUrl Url, string MountPath, RepositoryCheckout? Checkout, string? Token)
{
    /// <summary>Without its token.</summary>
    public override string ToString() => Url.Text;
}
