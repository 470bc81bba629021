using System.Text.RegularExpressions;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests;

/// <summary>Which folder of the server may know which, and what only some of them may know.</summary>
public sealed partial class TidyLayoutTests
{
    /// <summary>A folder uses those of its own row and of the rows above it.</summary>
    private static readonly string[][] Layers =
    [
        ["Storage"],
        ["Events"],
        ["Http"],
        ["Agents", "Environments", "Files", "Memory", "Skills", "Vaults"],
        ["Models", "Tools", "Sandboxes", "Egress", "Images", "Mcp", "Repositories", "Web", "Workflows"],
        ["Billing"],
        ["Harness"],
        ["Sessions"],
        ["Backups", "Deployments", "Webhooks", "Console", "Outcomes"],
        ["Cluster"],
        ["Configuration"],
        ["Demo", "Bench", "Doctor"],
        [""],
    ];

    /// <summary>
    /// What is not yet as it should be. An entry that is no longer needed fails, so the list only shrinks.
    /// </summary>
    private static readonly HashSet<string> Known =
    [
        // A refusal crosses from a session's owner to the request as data.
        "src/Tenon.Server/Sessions/ISessionGrain.cs uses Http",
        "src/Tenon.Server/Sessions/SessionGrain.cs uses Http",
        "src/Tenon.Server/Sessions/SessionOwner.cs uses Http",
    ];

    [Fact]
    public void A_folder_uses_only_what_stands_below_it()
    {
        var rank = Layers.SelectMany((layer, i) => layer.Select(folder => (folder, i))).ToDictionary();
        var uses = SourceTree.Server.SelectMany(file => Uses().Matches(file.Code)
            .Select(match => (File: file, Used: match.Groups[1].Value)).Distinct()).ToList();

        TidyTests.None(
            SourceTree.Server.Select(file => file.Folder).Distinct().Where(folder => !rank.ContainsKey(folder))
            .Select(folder => $"{folder} has no place in the layers yet"));
        var broken = uses.Where(
            use => rank[use.Used] > rank[use.File.Folder] || (use.Used == "Http" && !MayKnowHttp(use.File)))
            .Select(use => $"{use.File} uses {use.Used}").ToHashSet();
        TidyTests.None(broken.Except(Known));
        TidyTests.None(Known.Except(broken).Select(entry => $"no longer needed: {entry}"));
    }

    [Fact]
    public void Only_the_edge_of_the_server_touches_requests_and_responses() =>
        TidyTests.None(SourceTree.Server
            .Where(file => HttpTypes().IsMatch(file.Code) && !IsEdge(file))
            .Select(file => $"{file}: requests and responses belong in an *Api.cs or in Http/"));

    [Fact]
    public void Only_the_storage_speaks_sql() =>
        TidyTests.None(SourceTree.Server
            .Where(file => file.Folder != "Storage" && !file.Name.EndsWith("Store.cs", StringComparison.Ordinal))
            .Where(file => CSharpText.Strings(file.Text).Any(text => Sql().IsMatch(text)))
            .Select(file => $"{file}: SQL belongs in a *Store.cs or in Storage/")
            .Concat(SourceTree.Server
                .Where(file => file.Folder is "Harness" or "Models" or "Tools" && EntityFramework().IsMatch(file.Code))
                .Select(file => $"{file}: no database here")));

    [Fact]
    public void Only_the_models_know_a_providers_package() =>
        TidyTests.None(SourceTree.Server
            // The demo is a client of the server: it uses the official SDK as any program would.
            .Where(file =>
                file.Folder is not ("Models" or "Demo" or "Bench" or "Console") && Providers().IsMatch(file.Code))
            .Select(file => $"{file}: a provider's package is used only in Models/"));

    [Fact]
    public void Only_the_cluster_the_grains_and_who_calls_them_know_orleans() =>
        TidyTests.None(SourceTree.Server
            .Where(file => Orleans().IsMatch(file.Code))
            .Where(file => file.Folder is not ("Cluster" or "Sessions" or "Deployments")
                && file.Name is not ("TenonServer.cs" or "ApiException.cs"))
            .Select(file => $"{file}: Orleans is used only by Cluster/, the grains and those who call them"));

    [Fact]
    public void The_harness_knows_no_http_no_orleans_and_no_database() =>
        TidyTests.None(SourceTree.Server.Where(file => file.Folder == "Harness")
            .Where(file =>
                HttpTypes().IsMatch(file.Code) || Orleans().IsMatch(file.Code) || EntityFramework().IsMatch(file.Code))
            .Select(file => file.Path));

    private static bool MayKnowHttp(SourceFile file) => file.Folder is "Http" or "Demo" or "Configuration" or ""
        || Edge().IsMatch(file.Name);

    private static bool IsEdge(SourceFile file) => file.Folder == "Http"
        || file.Name is "EventStream.cs" or "TenonServer.cs"
        || file.Name.EndsWith("Api.cs", StringComparison.Ordinal);

    [GeneratedRegex(@"^using (?:static )?Tenon\.Server\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex Uses();

    [GeneratedRegex(@"(Api|Rules|Input|Updates)\.cs$")]
    private static partial Regex Edge();

    [GeneratedRegex(@"\bHttp(Context|Request|Response)\b")]
    private static partial Regex HttpTypes();

    [GeneratedRegex(@"\b(SELECT|INSERT INTO|DELETE FROM|CREATE TABLE|PRAGMA)\s|\bUPDATE \w+ SET\b")]
    private static partial Regex Sql();

    [GeneratedRegex(@"\b(EntityFrameworkCore|Data\.Sqlite|Npgsql)\b")]
    private static partial Regex EntityFramework();

    [GeneratedRegex(@"^using (Anthropic|OpenAI|Microsoft\.Extensions\.AI)\b", RegexOptions.Multiline)]
    private static partial Regex Providers();

    [GeneratedRegex(@"\bOrleans\b|\bIGrain|:\s*Grain\b|\bGenerateSerializer\b")]
    private static partial Regex Orleans();
}
