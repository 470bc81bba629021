using Tenon.Server.Web.Search;

namespace Tenon.Server.Configuration;

/// <summary>What the settings say of <c>web_search</c>.</summary>
internal static class SearchSettings
{
    /// <exception cref="SettingsException">A back end that is none, or what the chosen one lacks.</exception>
    public static SearchOptions Read(IReadOnlyDictionary<string, SettingValue> values)
    {
        var chosen = values[SettingKeys.Search];
        return chosen.Value switch
        {
            null or "" => new SearchOptions((string?)null),
            SearchOptions.Searxng => new SearchOptions(chosen.Value) { Url = Url(values, SettingKeys.SearxngUrl) },
            SearchOptions.Brave => new SearchOptions(chosen.Value)
            {
                Url = Url(values, SettingKeys.BraveUrl), Key = Needed(values, SettingKeys.BraveKey),
            },
            SearchOptions.Tavily => new SearchOptions(chosen.Value)
            {
                Url = Url(values, SettingKeys.TavilyUrl), Key = Needed(values, SettingKeys.TavilyKey),
            },
            SearchOptions.Local => new SearchOptions(chosen.Value)
            {
                Folder = Folder(values), FolderUrl = FolderUrl(values),
            },
            _ => throw new SettingsException(
                $"{SettingKeys.Search} ({chosen.Source}): '{chosen.Value}' is not one of "
                + $"{string.Join(", ", SearchOptions.Backends)}."),
        };
    }

    private static string Needed(IReadOnlyDictionary<string, SettingValue> values, string key)
    {
        var known = SettingKeys.All.Single(setting => setting.Name == key);
        return values[key].Value is { Length: > 0 } value && value.All(c => c is > ' ' and < '\x7f' || !known.IsSecret)
            ? value
            : throw new SettingsException(
                $"{SettingKeys.Search} is {values[SettingKeys.Search].Value}, which needs {key} ({known.Variable}).");
    }

    private static Uri Url(IReadOnlyDictionary<string, SettingValue> values, string key) =>
        Uri.TryCreate(Needed(values, key), UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            && url.UserInfo.Length == 0 && url.Query.Length == 0
                ? url
                // Not quoted: a password may be in it.
                : throw new SettingsException(
                    $"{key} ({values[key].Source}): it is not an http or https URL without user name and query.");

    private static string Folder(IReadOnlyDictionary<string, SettingValue> values)
    {
        var folder = Path.GetFullPath(Needed(values, SettingKeys.SearchFolder));
        return Directory.Exists(folder)
            ? folder
            : throw new SettingsException(
                $"{SettingKeys.SearchFolder} ({values[SettingKeys.SearchFolder].Source}): "
                + $"'{folder}' is not a folder.");
    }

    private static Uri? FolderUrl(IReadOnlyDictionary<string, SettingValue> values) =>
        values[SettingKeys.SearchFolderUrl].Value is { Length: > 0 }
            ? new Uri(Url(values, SettingKeys.SearchFolderUrl).AbsoluteUri.TrimEnd('/') + "/") : null;
}
