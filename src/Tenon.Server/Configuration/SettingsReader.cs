using System.Collections;
using System.Globalization;
using System.Text.Json;
using Tenon.Server.Billing;
using Tenon.Server.Models;
using Tenon.Server.Storage;

namespace Tenon.Server.Configuration;

/// <summary>
/// Reads the settings: flags win over variables, variables over <c>tenon.json</c>, and that over the defaults.
/// </summary>
public static class SettingsReader
{
    private const string DefaultFile = "tenon.json";
    private const string RoutesKey = "models.routes";

    /// <param name="arguments">Flags after the verb.</param>
    /// <param name="variables">The process's environment.</param>
    /// <exception cref="SettingsException">An unknown key, a value missing, or a file that cannot be read.</exception>
    public static Settings Read(IReadOnlyList<string> arguments, IDictionary variables)
    {
        var flags = ReadFlags(arguments, out var file);
        var fromFile = ReadFile(file, out var routes);
        var values = new Dictionary<string, SettingValue>();
        foreach (var key in SettingKeys.All)
        {
            values[key.Name] =
                flags.TryGetValue(key.Name, out var flag) ? new SettingValue(flag, $"flag {key.Flag}")
                : variables[key.Variable] is string { Length: > 0 } variable
                    ? new SettingValue(variable, $"variable {key.Variable}")
                : key.UsualVariable is { } usual && variables[usual] is string { Length: > 0 } other
                    ? new SettingValue(other, $"variable {usual}")
                : fromFile.TryGetValue(key.Name, out var text) ? new SettingValue(text, $"file {file ?? DefaultFile}")
                : new SettingValue(key.Default, "default");
        }

        RefuseUnknownVariables(variables);
        CheckPostgres(values[SettingKeys.Postgres]);
        CheckNumbers(values);
        VaultSettings.Check(values);
        var mirrors = EgressSettings.ReadMirrors(values);
        var services = ModelServices.Read(name => variables[name] as string);
        return new Settings
        {
            Values = values,
            ModelServices = services with { Routes = routes },
            Sandbox = SandboxSettings.Read(values, Path.GetFullPath(values[SettingKeys.Data].Value!)),
            Files = FileSettings.Read(values, variables),
            Egress = EgressSettings.Read(values, mirrors),
            Mirrors = mirrors,
            Repositories = EgressSettings.ReadRepositories(values),
            Search = SearchSettings.Read(values),
            Prices = values[SettingKeys.Prices].Value is { } path ? ReadPrices(path) : Prices.Default,
        };
    }

    private static Dictionary<string, string> ReadFlags(IReadOnlyList<string> arguments, out string? file)
    {
        file = null;
        var flags = new Dictionary<string, string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var (name, value) = arguments[i].Split('=', 2) is [var left, var right]
                ? (left, right)
                : (arguments[i], null);
            var key = SettingKeys.All.FirstOrDefault(key => key.Flag == name);
            if (key is null && name != "--config")
            {
                var known = SettingKeys.All.Select(known => known.Flag).OfType<string>().Append("--config");
                throw new SettingsException($"Unknown flag '{name}'. Known: {string.Join(' ', known)}.");
            }

            value ??= key?.IsSwitch == true ? "true"
                : ++i < arguments.Count ? arguments[i]
                : throw new SettingsException($"The flag {name} needs a value.");
            if (key is null)
            {
                file = value;
            }
            else
            {
                flags[key.Name] = value;
            }
        }

        return flags;
    }

    private static Dictionary<string, string> ReadFile(string? file, out IReadOnlyList<ModelRoute> routes)
    {
        routes = [];
        var values = new Dictionary<string, string>();
        if (file is null && !File.Exists(DefaultFile))
        {
            return values;
        }

        var path = file ?? DefaultFile;
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(path), new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true,
            });
            routes = Flatten(document.RootElement, "", path, values);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException
            or JsonException or InvalidOperationException)
        {
            // The last is how the document says that a value has another type than was asked for.
            throw new SettingsException($"{path}: {exception.Message}");
        }

        return values;
    }

    private static IReadOnlyList<ModelRoute> Flatten(
        JsonElement element, string prefix, string path, Dictionary<string, string> values)
    {
        IReadOnlyList<ModelRoute> routes = [];
        foreach (var property in element.EnumerateObject())
        {
            var name = prefix + property.Name;
            if (name == RoutesKey)
            {
                routes = [.. property.Value.EnumerateArray().Select(route => ToRoute(route, path))];
            }
            else if (property.Value.ValueKind == JsonValueKind.Object)
            {
                var inner = Flatten(property.Value, name + ".", path, values);
                routes = inner.Count > 0 ? inner : routes;
            }
            else if (SettingKeys.All.Any(key => key.Name == name))
            {
                values[name] = property.Value.ToString().ToLowerInvariant() is "true" or "false"
                    ? property.Value.ToString().ToLowerInvariant() : property.Value.ToString();
            }
            else
            {
                var known = SettingKeys.All.Select(key => key.Name).Append(RoutesKey);
                throw new SettingsException($"{path}: unknown key '{name}'. Known: {string.Join(", ", known)}.");
            }
        }

        return routes;
    }

    private static ModelRoute ToRoute(JsonElement route, string path)
    {
        if (Text("pattern") is not { } pattern || Text("service") is not { } service)
        {
            throw new SettingsException($"{path}: every entry of {RoutesKey} needs a 'pattern' and a 'service'.");
        }

        var fallbacks = route.TryGetProperty("fallbacks", out var list) ? list.EnumerateArray() : default;
        return new ModelRoute(pattern, service, Text("model"))
        {
            Fallbacks = [.. fallbacks.Select(model => model.GetString()
                ?? throw new SettingsException($"{path}: a fallback in {RoutesKey} must be a model's name."))],
            SeesImages = Flag("images"),
            SeesDocuments = Flag("documents"),
        };

        bool Flag(string name) => !route.TryGetProperty(name, out var value) || value.GetBoolean();

        string? Text(string name) => route.TryGetProperty(name, out var value) ? value.GetString() : null;
    }

    private static void CheckNumbers(Dictionary<string, SettingValue> values)
    {
        foreach (var key in SettingKeys.All)
        {
            var isNumber = int.TryParse(
                values[key.Name].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            if (key.Range is var (from, to) && (!isNumber || number < from || number > to))
            {
                throw new SettingsException(
                    $"{key.Name} ({values[key.Name].Source}) must be a whole number from {from} to {to}.");
            }
        }
    }

    private static void CheckPostgres(SettingValue setting)
    {
        try
        {
            _ = setting.Value is { } text ? PostgresDatabase.Parse(text) : null;
        }
        catch (FormatException exception)
        {
            throw new SettingsException($"{SettingKeys.Postgres} ({setting.Source}): {exception.Message}");
        }
    }

    private static Prices ReadPrices(string path)
    {
        try
        {
            return Prices.With(PriceFile.Parse(File.ReadAllText(path)));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException
            or JsonException or InvalidDataException)
        {
            throw new SettingsException($"{path}: {exception.Message}");
        }
    }

    private static void RefuseUnknownVariables(IDictionary variables)
    {
        var unknown = variables.Keys.OfType<string>().FirstOrDefault(name =>
            name.StartsWith("TENON_", StringComparison.Ordinal) && SettingKeys.All.All(key => key.Variable != name));
        if (unknown is not null)
        {
            var known = SettingKeys.All.Select(key => key.Variable);
            throw new SettingsException($"Unknown variable '{unknown}'. Known: {string.Join(' ', known)}.");
        }
    }
}
