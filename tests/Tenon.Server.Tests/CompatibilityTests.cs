using Microsoft.AspNetCore.Routing;
using System.Collections;
using System.Text.RegularExpressions;
using Tenon.Server.Configuration;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests;

/// <summary>docs/compatibility.md says what the code does.</summary>
public sealed partial class CompatibilityTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Root, "docs/compatibility.md"));

    [Fact]
    public async Task Every_operation_that_works_has_a_route_and_every_route_is_on_the_page()
    {
        using var folder = new TempFolder();
        var settings = SettingsReader.Read(["--data", folder.Path], new Hashtable());
        await using var app = TenonServer.Build(settings, out _);
        var routes = ((IEndpointRouteBuilder)app).DataSources
            .SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .SelectMany(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods
                .Select(method => $"{method} {Shape(endpoint.RoutePattern.RawText!)}"))
            .Where(route => route.Contains("/v1/"))
            .ToHashSet();

        var working = Operation().Matches(Page).Where(row => row.Groups["state"].Value is "works" or "ours")
            .Select(row => $"{row.Groups["method"].Value} {Shape(row.Groups["path"].Value)}").ToHashSet();

        Assert.Equal(working.Order(), routes.Order());
        Assert.Equal(121, Operation().Matches(Page).Count(row => row.Groups["state"].Value != "ours"));
    }

    [Fact]
    public void Every_event_type_is_on_the_page_once()
    {
        var listed = Event().Matches(Page).Select(row => row.Groups["type"].Value).ToList();

        Assert.Equal(
            SessionEventConverter.KnownTypes.Append("event_start").Append("event_delta").Order(), listed.Order());
    }

    private static string Shape(string path) => Parameter().Replace(path, "{}");

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Parameter();

    [GeneratedRegex(
        @"^\| (?<method>GET|POST|PATCH|DELETE) \| `(?<path>[^`]+)` \| (?<state>works|not yet|ours) \|",
        RegexOptions.Multiline)]
    private static partial Regex Operation();

    [GeneratedRegex(@"^\| `(?<type>[a-z_]+\.?[a-z_]*)` \| (works|not yet) \|", RegexOptions.Multiline)]
    private static partial Regex Event();
}
