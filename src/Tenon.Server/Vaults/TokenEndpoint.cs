using System.Net.Http.Headers;
using System.Text.Json;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>Exchanges refresh tokens for access tokens (RFC 6749, section 6).</summary>
public sealed class TokenEndpoint(VaultHttp http, TimeProvider clock)
{
    /// <summary>A longer time than this is not one that somebody meant.</summary>
    private const int SecondsMax = 10 * 365 * 24 * 3600;

    /// <summary>Asks once. The answer of a server that rotates refresh tokens must not be lost: nothing cancels it.
    /// </summary>
    public async Task<Renewal> Renew(OAuthCredential auth, CredentialSecrets secrets)
    {
        if (auth.Refresh is not { } refresh || secrets.RefreshToken is null)
        {
            return new Renewal.Failed(RefreshAttempt.NoRefreshToken, null, "it has no refresh token.");
        }

        try
        {
            using var request = Request(refresh, secrets);
            var answer = await http.Send(request, readBody: true, CancellationToken.None);
            return answer.IsSuccess && Parse(answer.Body, auth, secrets) is { } renewed ? renewed
                : new Renewal.Failed(
                    RefreshAttempt.Failed, VaultHttp.Show(answer, secrets, refresh.ClientId),
                    $"the token endpoint answered {answer.Status}"
                    + (answer.IsSuccess ? " without an access token." : "."));
        }
        catch (HttpRequestException exception)
        {
            return new Renewal.Failed(RefreshAttempt.ConnectError, null, exception.Message);
        }
    }

    private static HttpRequestMessage Request(OAuthRefresh refresh, CredentialSecrets secrets)
    {
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "refresh_token", ["refresh_token"] = secrets.RefreshToken!,
        };
        var request = new HttpRequestMessage(HttpMethod.Post, refresh.TokenEndpoint);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        switch (refresh.TokenEndpointAuth.Type)
        {
            case TokenEndpointAuth.Basic:
                request.Headers.Authorization = new AuthenticationHeaderValue(
                    "Basic", CredentialSecrets.BasicPair(refresh.ClientId, secrets.ClientSecret!));
                break;
            case TokenEndpointAuth.Post:
                form["client_secret"] = secrets.ClientSecret!;
                form["client_id"] = refresh.ClientId;
                break;
            default:
                form["client_id"] = refresh.ClientId;
                break;
        }

        if (refresh.Scope is { } scope)
        {
            form["scope"] = scope;
        }

        if (refresh.Resource is { } resource)
        {
            form["resource"] = resource;
        }

        request.Content = new FormUrlEncodedContent(form);
        return request;
    }

    private Renewal.Succeeded? Parse(string body, OAuthCredential auth, CredentialSecrets secrets)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || Text(document.RootElement, "access_token") is not { } token)
            {
                return null;
            }

            var seconds = document.RootElement.TryGetProperty("expires_in", out var given)
                && given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out var number)
                && number is > 0 and <= SecondsMax ? number : (int?)null;
            return new Renewal.Succeeded(
                auth with { ExpiresAt = seconds is { } rest ? clock.GetUtcNow().AddSeconds(rest) : null },
                secrets with
                {
                    Token = token,
                    RefreshToken = Text(document.RootElement, "refresh_token") ?? secrets.RefreshToken,
                });
        }
        catch (JsonException)
        {
            // A page for people, or half an answer: there is no token in it.
            return null;
        }
    }

    /// <summary>A token that a header can hold.</summary>
    private static string? Text(JsonElement answer, string name) =>
        answer.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
        && value.GetString() is { Length: > 0 } text && text.All(c => c is > ' ' and <= '~') ? text : null;
}

/// <summary>What became of a renewal.</summary>
public abstract record Renewal
{
    public sealed record Succeeded(OAuthCredential Auth, CredentialSecrets Secrets) : Renewal;

    /// <param name="Status">As <see cref="RefreshAttempt"/> has it.</param>
    /// <param name="Answer">What the token endpoint said, if it did.</param>
    /// <param name="Reason">For people; without a secret.</param>
    public sealed record Failed(string Status, ProbeResponse? Answer, string Reason) : Renewal
    {
        /// <summary>Whether to ask again may help: the grant itself was not refused.</summary>
        public bool IsTransient => Answer is null ? Status == RefreshAttempt.ConnectError
            : Answer.StatusCode is 429 or >= 500;
    }
}
