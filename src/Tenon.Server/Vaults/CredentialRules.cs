using System.Net;
using System.Net.Sockets;
using System.Text;
using Tenon.Server.Environments;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>Whether every sandbox has this variable already.</summary>
public delegate bool IsSandboxVariable(string name);

/// <summary>What a credential may be (api B.7).</summary>
public static class CredentialRules
{
    /// <summary>The documented number of active credentials of a vault.</summary>
    public const int PerVaultMax = 20;

    public const int NameMax = 255;
    private const int HostsMax = 16;

    /// <summary>Servers take heads of eight, and the proxy looks for no longer ones in a stream.</summary>
    private const int SecretBytesMax = 8 * 1024;

    /// <summary>The proxy cannot tell a shorter one from ordinary text when it scrubs answers of it.</summary>
    private const int VariableBytesMin = 8;

    private const string OmitInstead = "null is not allowed; omit the field instead.";

    public static string? CheckName(string? name) => name is null or { Length: > 0 and <= NameMax } ? name
        : throw ApiException.Invalid("display_name", $"must have 1 to {NameMax} characters.");

    /// <summary>What is unique among the active credentials of a vault.</summary>
    public static string KeyOf(CredentialAuth auth) => auth switch
    {
        OAuthCredential oauth => "mcp:" + ServerUrl.Normalize(oauth.McpServerUrl),
        BearerCredential bearer => "mcp:" + ServerUrl.Normalize(bearer.McpServerUrl),
        VariableCredential variable => "env:" + variable.SecretName,
        _ => throw new ArgumentException($"no credential is a {auth.GetType().Name}.", nameof(auth)),
    };

    /// <summary>A new credential, and what is secret of it.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static (CredentialAuth Auth, CredentialSecrets Secrets) Create(
        CredentialInput input, DateTimeOffset now, IsSandboxVariable isTaken) => input.Type switch
        {
            "mcp_oauth" => (
                new OAuthCredential
                {
                    McpServerUrl = CheckServer(input.McpServerUrl),
                    ExpiresAt = CheckExpiry(input.ExpiresAt, now),
                    Refresh = input.Refresh is { } refresh ? CreateRefresh(refresh) : null,
                },
                new CredentialSecrets
                {
                    Token = CheckToken("auth.access_token", input.AccessToken),
                    RefreshToken = input.Refresh?.RefreshToken,
                    ClientSecret = input.Refresh?.TokenEndpointAuth?.ClientSecret,
                }),
            "static_bearer" => (
                new BearerCredential { McpServerUrl = CheckServer(input.McpServerUrl) },
                new CredentialSecrets { Token = CheckToken("auth.token", input.Token) }),
            "environment_variable" => (
                new VariableCredential
                {
                    SecretName = CheckVariable(input.SecretName, isTaken),
                    Networking = CheckNetworking(input.Networking ?? throw Required("auth.networking")),
                    InjectionLocation = Inject(input.InjectionLocation, new InjectionLocation
                    {
                        Header = !input.InjectionLocation.IsGiven, Body = !input.InjectionLocation.IsGiven,
                    }),
                },
                new CredentialSecrets { Token = CheckValue(input.SecretValue) }),
            var other => throw ApiException.Invalid(
                "auth.type", $"'{other}' is not one of mcp_oauth, static_bearer, environment_variable."),
        };

    /// <summary>The credential with an update applied; what is left out, or null, stays as it is.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static (CredentialAuth Auth, CredentialSecrets Secrets) Update(
        CredentialAuth auth, CredentialSecrets secrets, CredentialInput input, DateTimeOffset now)
    {
        RefuseLocked(input);
        return (auth, input.Type) switch
        {
            (OAuthCredential oauth, "mcp_oauth") => UpdateOAuth(oauth, secrets, input, now),
            (BearerCredential, "static_bearer") => (auth, secrets with
            {
                Token = input.Token is { } token ? CheckToken("auth.token", token) : secrets.Token,
            }),
            (VariableCredential variable, "environment_variable") => (
                variable with
                {
                    Networking = input.Networking is { } networking ? CheckNetworking(networking) : variable.Networking,
                    InjectionLocation = Inject(input.InjectionLocation, variable.InjectionLocation),
                },
                secrets with { Token = input.SecretValue is { } value ? CheckValue(value) : secrets.Token }),
            _ => throw ApiException.Invalid("auth.type", "a credential cannot change from one kind to another."),
        };
    }

    private static (CredentialAuth, CredentialSecrets) UpdateOAuth(
        OAuthCredential auth, CredentialSecrets secrets, CredentialInput input, DateTimeOffset now)
    {
        var changed = input.Refresh;
        if (changed is not null && auth.Refresh is null)
        {
            throw ApiException.Invalid("auth.refresh", "this credential was made without a way to be renewed.");
        }

        if (changed?.TokenEndpointAuth?.ClientSecret is not null
            && auth.Refresh!.TokenEndpointAuth.Type == TokenEndpointAuth.None)
        {
            throw ApiException.Invalid(
                "auth.refresh.token_endpoint_auth.client_secret", "this credential's token endpoint takes no secret.");
        }

        var scope = changed?.Scope ?? auth.Refresh?.Scope;
        return (
            auth with
            {
                ExpiresAt = input.ExpiresAt is null ? auth.ExpiresAt : CheckExpiry(input.ExpiresAt, now),
                Refresh = auth.Refresh is { } refresh ? refresh with { Scope = scope is "" ? null : scope } : null,
            },
            secrets with
            {
                Token = input.AccessToken is { } token ? CheckToken("auth.access_token", token) : secrets.Token,
                RefreshToken = changed?.RefreshToken is { } renewed
                    ? CheckToken("auth.refresh.refresh_token", renewed) : secrets.RefreshToken,
                ClientSecret = changed?.TokenEndpointAuth?.ClientSecret is { } secret
                    ? CheckToken("auth.refresh.token_endpoint_auth.client_secret", secret) : secrets.ClientSecret,
            });
    }

    private static void RefuseLocked(CredentialInput input)
    {
        if (input.McpServerUrl is not null || input.SecretName is not null
            || input.Refresh is { TokenEndpoint: not null } or { ClientId: not null } or { Resource: not null })
        {
            var field = input.McpServerUrl is not null ? "mcp_server_url"
                : input.SecretName is not null ? "secret_name"
                : input.Refresh!.TokenEndpoint is not null ? "refresh.token_endpoint"
                : input.Refresh.ClientId is not null ? "refresh.client_id" : "refresh.resource";
            throw ApiException.Invalid(
                "auth." + field, "cannot change: archive the credential and make a new one.");
        }
    }

    private static OAuthRefresh CreateRefresh(RefreshInput input)
    {
        var endpoint = input.TokenEndpointAuth ?? throw Required("auth.refresh.token_endpoint_auth");
        const string Secret = "auth.refresh.token_endpoint_auth.client_secret";
        if (endpoint.Type is not (TokenEndpointAuth.None or TokenEndpointAuth.Basic or TokenEndpointAuth.Post))
        {
            throw ApiException.Invalid("auth.refresh.token_endpoint_auth.type",
                $"'{endpoint.Type}' is not one of none, client_secret_basic, client_secret_post.");
        }

        if (endpoint.Type == TokenEndpointAuth.None && endpoint.ClientSecret is not null)
        {
            throw ApiException.Invalid(Secret, "there is none where the type is none.");
        }

        if (endpoint.Type != TokenEndpointAuth.None)
        {
            CheckToken(Secret, endpoint.ClientSecret);
        }

        CheckToken("auth.refresh.refresh_token", input.RefreshToken);
        return new OAuthRefresh
        {
            ClientId = input.ClientId is { Length: > 0 and <= ServerUrl.CharsMax } id
                ? id : throw Required("auth.refresh.client_id"),
            TokenEndpoint = CheckUrl("auth.refresh.token_endpoint", input.TokenEndpoint),
            TokenEndpointAuth = new TokenEndpointAuth { Type = endpoint.Type },
            Scope = input.Scope is "" ? null : input.Scope,
            Resource = input.Resource is "" ? null : input.Resource,
        };
    }

    private static string CheckServer(string? url) => CheckUrl("auth.mcp_server_url", url);

    private static string CheckUrl(string path, string? url) =>
        ServerUrl.Normalize(url ?? throw Required(path)) is { } normalized && ServerUrl.IsPrivate(normalized) ? url
            : throw ApiException.Invalid(path, "must be an https URL of at most "
                + $"{ServerUrl.CharsMax} characters without a user's name (http only for this machine itself).");

    private static DateTimeOffset? CheckExpiry(DateTimeOffset? at, DateTimeOffset now) => at is null || at > now ? at
        : throw ApiException.Invalid("auth.expires_at", "must be in the future.");

    /// <summary>Goes into a header, so it must be able to.</summary>
    private static string CheckToken(string path, string? token) =>
        (token ?? throw Required(path)) is { Length: > 0 and <= SecretBytesMax }
        && token.All(c => c is > ' ' and <= '~')
            ? token
            : throw ApiException.Invalid(path, $"must be 1 to {SecretBytesMax} visible ASCII characters.");

    private static string CheckValue(string? value) =>
        Encoding.UTF8.GetByteCount(value ?? throw Required("auth.secret_value"))
            is >= VariableBytesMin and <= SecretBytesMax
            ? value
            : throw ApiException.Invalid("auth.secret_value",
                $"must have {VariableBytesMin} to {SecretBytesMax} bytes: a shorter one cannot be told "
                + "from ordinary text when answers are scrubbed of it.");

    private static string CheckVariable(string? name, IsSandboxVariable isTaken)
    {
        if (name is not { Length: > 0 and <= NameMax } || char.IsAsciiDigit(name[0])
            || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
        {
            throw ApiException.Invalid("auth.secret_name",
                $"must be the name of an environment variable: 1 to {NameMax} letters, digits and underscores, and no "
                + "digit first.");
        }

        return !isTaken(name) ? name
            : throw ApiException.Invalid("auth.secret_name", $"every sandbox has a {name} of its own.");
    }

    private static CredentialNetworking CheckNetworking(CredentialNetworking networking)
    {
        const string Path = "auth.networking.allowed_hosts";
        switch (networking.Type)
        {
            case "unrestricted" when networking.AllowedHosts is null:
                return networking;
            case "unrestricted":
                throw ApiException.Invalid(Path, "only limited networking has hosts.");
            case "limited":
                break;
            default:
                throw ApiException.Invalid(
                    "auth.networking.type", $"'{networking.Type}' is neither limited nor unrestricted.");
        }

        if (networking.AllowedHosts is not { Count: > 0 and <= HostsMax } hosts)
        {
            throw ApiException.Invalid(Path, $"must be a list of 1 to {HostsMax} hosts.");
        }

        for (var i = 0; i < hosts.Count; i++)
        {
            CheckHost($"{Path}.{i}", hosts[i] ?? throw ApiException.Invalid($"{Path}.{i}", "null is not allowed"));
        }

        return networking;
    }

    private static void CheckHost(string path, string host)
    {
        if (IPAddress.TryParse(host, out var address) && address.AddressFamily == AddressFamily.InterNetwork
            && address.ToString() == host)
        {
            return;
        }

        try
        {
            HostPattern.Parse(host);
        }
        catch (FormatException exception)
        {
            throw ApiException.Invalid(path, exception.Message);
        }
    }

    private static InjectionLocation Inject(Patch<InjectionInput> input, InjectionLocation stored)
    {
        const string Path = "auth.injection_location";
        if (!input.IsGiven)
        {
            return stored;
        }

        var given = input.Value ?? throw ApiException.Invalid(Path, OmitInstead);
        if (given.Header is { IsGiven: true, Value: null } || given.Body is { IsGiven: true, Value: null })
        {
            throw ApiException.Invalid(Path + (given.Header.IsGiven && given.Header.Value is null
                ? ".header" : ".body"), OmitInstead);
        }

        var next = new InjectionLocation
        {
            Header = given.Header.Or(stored.Header)!.Value, Body = given.Body.Or(stored.Body)!.Value,
        };
        return next is { Header: false, Body: false }
            ? throw ApiException.Invalid(Path, "at least one of header and body must be true.") : next;
    }

    private static ApiException Required(string path) => ApiException.Invalid(path, "field required");
}
