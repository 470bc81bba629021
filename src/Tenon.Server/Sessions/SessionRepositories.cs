using Tenon.Server.Egress;
using Tenon.Server.Repositories;
using Tenon.Server.Vaults;
using Tenon.Wire;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>Which repositories sessions have, and their tokens.</summary>
public sealed class SessionRepositories(
    RepositoryTokenStore tokens, RepositoryOptions options, IdSource ids, TimeProvider clock)
{
    /// <summary>What is asked for, checked; nothing is written yet.</summary>
    /// <exception cref="Http.ApiException">400 with the field.</exception>
    public IReadOnlyList<AskedRepository> Check(IReadOnlyList<ResourceCreate> resources) =>
        RepositoryRules.Check(resources, options);

    /// <summary>Keeps the tokens, before the session that has them: without it they are swept at the next start.
    /// </summary>
    public async Task<IReadOnlyList<RepositoryResource>> Attach(
        string sessionId, IReadOnlyList<AskedRepository> asked, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var made = new List<RepositoryResource>();
        foreach (var repository in asked)
        {
            var resource = new RepositoryResource
            {
                Id = ids.Next(IdPrefix.Resource),
                Url = repository.Url.Text,
                MountPath = repository.MountPath,
                Checkout = repository.Checkout,
                CreatedAt = now,
                UpdatedAt = now,
            };
            if (repository.Token is { } token)
            {
                await tokens.Save(sessionId, resource.Id, token, cancellationToken);
            }

            made.Add(resource);
        }

        return made;
    }

    /// <summary>Another session's repositories for a new one, with their tokens as they are now.</summary>
    public async Task<IReadOnlyList<RepositoryResource>> Carry(
        SessionRecord source, string sessionId, CancellationToken cancellationToken)
    {
        var known = source.Definition.Repositories.Count == 0
            ? null : await tokens.Of(source.Id, cancellationToken);
        return await Attach(
            sessionId,
            [.. source.Definition.Repositories.Where(resource => UrlOf(resource) is not null).Select(
                resource => new AskedRepository(
                    UrlOf(resource)!, resource.MountPath, resource.Checkout, known!.GetValueOrDefault(resource.Id)))],
            cancellationToken);
    }

    /// <summary>The credentials by which its sandbox fetches and pushes.</summary>
    public static IEnumerable<EgressCredential> Credentials(
        SessionDefinition definition, IReadOnlyDictionary<string, string> tokens, RepositoryOptions options) =>
        definition.Repositories.Select((resource, i) => (resource, i))
            .Where(one => tokens.ContainsKey(one.resource.Id))
            .Select(one => RepositoryUrl.TryParse(one.resource.Url, options) is { } url ? MirrorAccess.Credential(
                one.resource.Id, VariableOf(one.i), url, tokens[one.resource.Id]) : null)
            .OfType<EgressCredential>();

    /// <summary>The variable of the sandbox that stands for the token of its repository of this number.</summary>
    public static string VariableOf(int index) => $"{MirrorAccess.TokenVariable}_{index}";

    // It was one when it was attached; an operator may have taken its host away since.
    public RepositoryUrl? UrlOf(RepositoryResource resource) => RepositoryUrl.TryParse(resource.Url, options);

    public Task ReplaceToken(string sessionId, string resourceId, string token) => tokens.Save(
        sessionId, resourceId, RepositoryRules.CheckToken("authorization_token", token), CancellationToken.None);

    public Task DeleteSession(string sessionId) => tokens.DeleteSession(sessionId, CancellationToken.None);
}
