using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Server.Vaults;

/// <summary>What a credential keeps to itself. It is written only sealed.</summary>
public sealed record CredentialSecrets
{
    private const string Hidden = "[redacted]";

    /// <summary>The access token, the bearer token, or the variable's value.</summary>
    public required string Token { get; init; }

    public string? RefreshToken { get; init; }

    public string? ClientSecret { get; init; }

    public static CredentialSecrets Parse(byte[] json) =>
        JsonSerializer.Deserialize(json, CredentialSecretsJson.Default.CredentialSecrets)!;

    public byte[] ToJson() =>
        JsonSerializer.SerializeToUtf8Bytes(this, CredentialSecretsJson.Default.CredentialSecrets);

    /// <summary>A text without the secrets, also as they stand in URLs, in forms and in Basic authentication.</summary>
    public string Scrub(string text, string? clientId)
    {
        foreach (var secret in new[] { Token, RefreshToken, ClientSecret })
        {
            if (!string.IsNullOrEmpty(secret))
            {
                text = text.Replace(secret, Hidden, StringComparison.Ordinal)
                    .Replace(Uri.EscapeDataString(secret), Hidden, StringComparison.Ordinal)
                    .Replace(JsonEncodedText.Encode(secret).ToString(), Hidden, StringComparison.Ordinal);
            }
        }

        return ClientSecret is null || clientId is null ? text
            : text.Replace(BasicPair(clientId, ClientSecret), Hidden, StringComparison.Ordinal);
    }

    /// <summary>The credentials of HTTP Basic, each part encoded as a form's (RFC 6749, 2.3.1).</summary>
    public static string BasicPair(string clientId, string secret) => Convert.ToBase64String(
        Encoding.ASCII.GetBytes($"{Uri.EscapeDataString(clientId)}:{Uri.EscapeDataString(secret)}"));

    /// <summary>Nothing of it.</summary>
    public override string ToString() => Hidden;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CredentialSecrets))]
internal sealed partial class CredentialSecretsJson : JsonSerializerContext;
