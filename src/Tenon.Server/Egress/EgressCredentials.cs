using System.Security.Cryptography;
using System.Text;
using Tenon.Wire.Hand;

namespace Tenon.Server.Egress;

/// <summary>A session's credentials, each with what stands for it inside.</summary>
/// <remarks>
/// A placeholder is a keyed hash of the session and the credential. So it is the same for as long as the session
/// lives, through restarts and changed secrets, nobody can guess it, and nothing of it needs to be kept.
/// </remarks>
public sealed partial class EgressCredentials(
    CredentialsOf source, EgressAuthority authority, ILogger<EgressCredentials> logger)
{
    /// <summary>160 bits, as hexadecimal digits.</summary>
    private const int PlaceholderDigits = 40;

    /// <summary>What the session's sandbox finds in its environment.</summary>
    public async Task<IReadOnlyList<(string Name, string Value)>> Variables(
        string sessionId, CancellationToken cancellationToken) =>
        [.. (await Of(sessionId, cancellationToken)).Select(one => (one.Credential.Name, one.Placeholder))];

    /// <summary>Those that can be used; what is wrong with others is in the log.</summary>
    internal async Task<IReadOnlyList<SessionCredential>> Of(string sessionId, CancellationToken cancellationToken)
    {
        var sound = new List<SessionCredential>();
        foreach (var credential in await source(sessionId, cancellationToken))
        {
            if (Fault(credential) is { } fault)
            {
                LogUnusable(sessionId, credential.Id, fault);
            }
            else
            {
                sound.Add(new SessionCredential(credential, Placeholder(sessionId, credential.Id)));
            }
        }

        return sound;
    }

    private string Placeholder(string sessionId, string credentialId) => HandProtocol.PlaceholderPrefix
        + Convert.ToHexStringLower(HMACSHA256.HashData(
            authority.PlaceholderKey, Encoding.UTF8.GetBytes($"{sessionId}\n{credentialId}")))[..PlaceholderDigits];

    private static string? Fault(EgressCredential credential) =>
        Encoding.UTF8.GetByteCount(credential.Secret)
            is < EgressCredential.SecretBytesMin or > EgressCredential.SecretBytesMax
            ? $"its secret must have from {EgressCredential.SecretBytesMin} to {EgressCredential.SecretBytesMax} bytes"
        : credential.Name.Length == 0 || char.IsAsciiDigit(credential.Name[0])
            || !credential.Name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
            ? "its name is not that of an environment variable"
        : null;

    [LoggerMessage(LogLevel.Warning, "{SessionId} was not given the credential {CredentialId}: {Reason}")]
    private partial void LogUnusable(string sessionId, string credentialId, string reason);
}

/// <summary>A credential in one session.</summary>
internal sealed record SessionCredential(EgressCredential Credential, string Placeholder);
