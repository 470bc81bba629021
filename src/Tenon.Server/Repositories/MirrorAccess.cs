using System.Collections.Concurrent;
using Tenon.Server.Egress;
using Tenon.Server.Environments;

namespace Tenon.Server.Repositories;

/// <summary>
/// What the sandboxes that fetch may reach, each for as long as it fetches: one host, with one token that is put in
/// outside.
/// </summary>
public sealed class MirrorAccess
{
    /// <summary>What such a sandbox is called in place of a session.</summary>
    private const string Prefix = "mirror_";

    /// <summary>The variable with what stands for the token.</summary>
    public const string TokenVariable = "TENON_GIT_TOKEN";

    private readonly ConcurrentDictionary<string, (RepositoryUrl Url, string? Token)> _now = new();

    public static string NameOf(string key) => Prefix + key;

    /// <summary>Whether what is called so is a sandbox that fetches, and no session.</summary>
    public static bool IsBuilder(string sessionId) => sessionId.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>The credential for a repository's host.</summary>
    /// <param name="variable">Of the sandbox, with what stands for the token.</param>
    public static EgressCredential Credential(string id, string variable, RepositoryUrl url, string token) => new()
    {
        Id = id, Name = variable, Secret = token, Hosts = [url.Pattern], InBody = false,
    };

    internal void Give(string name, RepositoryUrl url, string? token) => _now[name] = (url, token);

    internal void Take(string name) => _now.TryRemove(name, out _);

    public HostPattern? HostOf(string name) => _now.TryGetValue(name, out var now) ? now.Url.Pattern : null;

    public IReadOnlyList<EgressCredential> CredentialsOf(string name) =>
        _now.TryGetValue(name, out var now) && now.Token is { } token
            ? [Credential(name, TokenVariable, now.Url, token)] : [];
}
