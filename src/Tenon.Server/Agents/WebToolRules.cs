using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Tenon.Server.Http;
using Tenon.Wire.Agents;

namespace Tenon.Server.Agents;

/// <summary>
/// What the entries of <c>web_fetch</c> and <c>web_search</c> may say beside what all tools do (api B.1).
/// </summary>
public static partial class WebToolRules
{
    private const int DomainsMax = 64;
    private const int DomainMax = 255;

    // Names that no public server has.
    private static readonly string[] LocalDomains = ["local", "localhost", "localdomain", "internal", "invalid"];

    /// <summary>The entry with its sources in their object form; other tools' entries as they are.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static ToolConfig Check(string path, ToolConfig config, IReadOnlyList<AgentTool> tools)
    {
        if (config.Name is not ("web_fetch" or "web_search"))
        {
            return config;
        }

        var allowed = Field(config, "allowed_domains");
        var blocked = Field(config, "blocked_domains");
        if (allowed is not null && blocked is not null)
        {
            throw ApiException.Invalid(path, "Only one of allowed_domains or blocked_domains may be set.");
        }

        var isSearch = config.Name == "web_search";
        CheckDomains($"{path}.allowed_domains", allowed, allowPath: isSearch);
        CheckDomains($"{path}.blocked_domains", blocked, allowPath: isSearch);
        if (isSearch)
        {
            CheckLocation($"{path}.user_location", Field(config, "user_location"));
            return config;
        }

        if (Field(config, "max_content_tokens") is { } tokens
            && !(tokens.ValueKind == JsonValueKind.Number && tokens.TryGetInt32(out var count) && count > 0))
        {
            throw ApiException.Invalid($"{path}.max_content_tokens", "must be a whole number above 0.");
        }

        var sources = UrlSourceRules.Check($"{path}.url_sources", Field(config, "url_sources"), tools);
        return config with { Extra = new(config.Extra ?? []) { ["url_sources"] = sources } };
    }

    private static JsonElement? Field(ToolConfig config, string name) =>
        config.Extra?.TryGetValue(name, out var value) == true && value.ValueKind != JsonValueKind.Null ? value : null;

    private static void CheckDomains(string path, JsonElement? list, bool allowPath)
    {
        if (list is not { } given)
        {
            return;
        }

        if (given.ValueKind != JsonValueKind.Array || given.GetArrayLength() is 0 or > DomainsMax)
        {
            throw ApiException.Invalid(path, $"must be a list of 1 to {DomainsMax} domains.");
        }

        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < given.GetArrayLength(); i++)
        {
            var domain = given[i].ValueKind == JsonValueKind.String ? given[i].GetString()! : "";
            if (domain.Length is 0 or > DomainMax)
            {
                throw ApiException.Invalid($"{path}.{i}", $"must be a domain of 1 to {DomainMax} characters.");
            }

            var slash = allowPath ? domain.IndexOf('/', StringComparison.Ordinal) : -1;
            CheckHost($"{path}.{i}", slash < 0 ? domain : domain[..slash]);
            if (!seen.Add(domain))
            {
                throw ApiException.Invalid($"{path}.{i}", $"'{domain}' is in the list twice.");
            }
        }
    }

    private static void CheckHost(string path, string host)
    {
        // A number for the last label is an address in one of its many spellings.
        if (!Host().IsMatch(host) || IPAddress.TryParse(host, out _))
        {
            throw ApiException.Invalid(path,
                $"'{host}' is not a plain domain such as example.com: no scheme, port, path, wildcard or address.");
        }

        if (LocalDomains.Contains(host[(host.LastIndexOf('.') + 1)..].ToLowerInvariant()))
        {
            throw ApiException.Invalid(path, $"'{host}' is not a public domain.");
        }
    }

    private static void CheckLocation(string path, JsonElement? location)
    {
        if (location is not { } given)
        {
            return;
        }

        if (Text(given, "type") != "approximate")
        {
            throw ApiException.Invalid(path, "must have the type approximate.");
        }

        if (given.TryGetProperty("country", out var country) && country.ValueKind != JsonValueKind.Null
            && !(Text(given, "country") is { } code && Country().IsMatch(code)))
        {
            throw ApiException.Invalid($"{path}.country", "must be two capital letters (ISO 3166-1).");
        }

        if (given.TryGetProperty("timezone", out var zone) && zone.ValueKind != JsonValueKind.Null
            && !(Text(given, "timezone") is { } name && TimeZoneInfo.TryFindSystemTimeZoneById(name, out var found)
                && found.HasIanaId))
        {
            throw ApiException.Invalid($"{path}.timezone", "must be an IANA time zone such as Europe/Oslo.");
        }
    }

    /// <summary>The text of a member; null where there is no such text.</summary>
    internal static string? Text(JsonElement json, string name) => json.ValueKind == JsonValueKind.Object
        && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() : null;

    [GeneratedRegex(@"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]\z")]
    private static partial Regex Host();

    [GeneratedRegex(@"^[A-Z]{2}\z")]
    private static partial Regex Country();
}
