using System.Net.Http.Headers;
using System.Text;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>Asks an MCP server whether it takes a credential (api B.7, <c>mcp_oauth_validate</c>).</summary>
public sealed class CredentialCheck(CredentialStore store, McpTokens tokens, VaultHttp http, TimeProvider clock)
{
    private const string Initialize = "initialize";

    // As the MCP specification of 2025-06-18 has them.
    private const string InitializeBody = """
        {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},
        "clientInfo":{"name":"tenon","version":"1"}}}
        """;

    private const string InitializedBody = """{"jsonrpc":"2.0","method":"notifications/initialized"}""";
    private const string ListBody = """{"jsonrpc":"2.0","id":2,"method":"tools/list"}""";

    public async Task<CredentialValidation> Run(StoredCredential credential, CancellationToken cancellationToken)
    {
        var validation = new CredentialValidation
        {
            CredentialId = credential.Record.Id,
            VaultId = credential.Record.VaultId,
            ValidatedAt = clock.GetUtcNow(),
            Status = CredentialValidation.Invalid,
            HasRefreshToken = false,
        };
        if (credential.Sealed is null)
        {
            return validation;
        }

        var secrets = store.Open(credential);
        validation = validation with { HasRefreshToken = secrets.RefreshToken is not null };
        var failure = await Probe(credential.Record.Auth, secrets, cancellationToken);
        if (failure is not { IsRejection: true })
        {
            return Verdict(validation, failure);
        }

        if (credential.Record.Auth is not OAuthCredential)
        {
            return Verdict(validation, failure);
        }

        var (token, renewal) = await tokens.Renew(credential, secrets.Token).WaitAsync(cancellationToken);
        if (renewal is Renewal.Failed failed)
        {
            return Verdict(validation, failure) with
            {
                Refresh = RefreshAttempt.Of(failed.Status, failed.Answer),
                Status = failed.IsTransient ? CredentialValidation.Unknown : CredentialValidation.Invalid,
            };
        }

        var again = await Probe(credential.Record.Auth, secrets with { Token = token }, cancellationToken);
        return Verdict(validation, again) with
        {
            Refresh = renewal is null ? null : RefreshAttempt.Of(RefreshAttempt.Succeeded, null),
        };
    }

    private static CredentialValidation Verdict(CredentialValidation validation, ProbeFailure? failure) =>
        validation with
        {
            Status = failure is null ? CredentialValidation.Valid
                : failure.IsRejection ? CredentialValidation.Invalid : CredentialValidation.Unknown,
            McpProbe = failure?.Probe,
        };

    /// <summary>Begins a conversation with the server as an agent does. Null when it went well.</summary>
    private async Task<ProbeFailure?> Probe(
        CredentialAuth auth, CredentialSecrets secrets, CancellationToken cancellationToken)
    {
        var url = auth is OAuthCredential oauth ? oauth.McpServerUrl : ((BearerCredential)auth).McpServerUrl;
        var method = Initialize;
        try
        {
            var opened = await Post(url, secrets.Token, InitializeBody, null, cancellationToken);
            if (opened.Status is 404 or 405)
            {
                // A server of the older kind begins with a stream; that it is given one is all that can be asked.
                opened = await Get(url, secrets.Token, cancellationToken);
                return opened.IsSuccess ? null : Failure(method, opened, secrets, auth);
            }

            if (!opened.IsSuccess)
            {
                return Failure(method, opened, secrets, auth);
            }

            method = "notifications/initialized";
            var told = await Post(url, secrets.Token, InitializedBody, opened.SessionId, cancellationToken);
            if (!told.IsSuccess)
            {
                return Failure(method, told, secrets, auth);
            }

            method = "tools/list";
            var listed = await Post(url, secrets.Token, ListBody, opened.SessionId, cancellationToken);
            return listed.IsSuccess ? null : Failure(method, listed, secrets, auth);
        }
        catch (HttpRequestException)
        {
            // It cannot be reached now: the verdict says that nothing is known.
            return new ProbeFailure(McpProbe.Of(method, null), false);
        }
    }

    private async Task<HttpAnswer> Post(
        string url, string token, string body, string? sessionId, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Post, url, token);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        if (sessionId is not null)
        {
            request.Headers.TryAddWithoutValidation("Mcp-Session-Id", sessionId);
        }

        return await http.Send(request, readBody: true, cancellationToken);
    }

    private async Task<HttpAnswer> Get(string url, string token, CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Get, url, token);
        return await http.Send(request, readBody: false, cancellationToken);
    }

    private static HttpRequestMessage Request(HttpMethod method, string url, string token)
    {
        var request = new HttpRequestMessage(method, url);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        return request;
    }

    private static ProbeFailure Failure(
        string method, HttpAnswer answer, CredentialSecrets secrets, CredentialAuth auth) => new(
            McpProbe.Of(method, VaultHttp.Show(answer, secrets, (auth as OAuthCredential)?.Refresh?.ClientId)),
            answer.Status is 401 or 403);

    private sealed record ProbeFailure(McpProbe Probe, bool IsRejection);
}
