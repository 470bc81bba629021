using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Wire.Environments;
using Xunit;

namespace Tenon.Server.Tests.Egress;

public sealed class HostPatternTests
{
    [Theory]
    [InlineData("example.com", "example.com", 443, true)]
    [InlineData("example.com", "example.com", 80, true)]
    [InlineData("example.com", "example.com", 8443, false)]
    [InlineData("example.com:8443", "example.com", 8443, true)]
    [InlineData("example.com:8443", "example.com", 443, false)]
    [InlineData("Example.COM", "example.com", 443, true)]
    [InlineData("example.com", "www.example.com", 443, false)]
    [InlineData("example.com", "badexample.com", 443, false)]
    [InlineData("*.example.com", "www.example.com", 443, true)]
    [InlineData("*.example.com", "a.b.example.com", 443, true)]
    [InlineData("*.example.com", "example.com", 443, false)]
    [InlineData("*.example.com", "badexample.com", 443, false)]
    [InlineData("*.example.com", ".example.com", 443, false)]
    [InlineData("bücher.example", "xn--bcher-kva.example", 443, true)]
    public void A_pattern_allows_its_hosts_and_no_other(string pattern, string host, int port, bool allowed) =>
        Assert.Equal(allowed, HostPattern.Parse(pattern).Matches(host, port));

    [Theory]
    [InlineData("example.com", "example.com", true)]
    [InlineData("example.com", "example.com:443", true)]
    [InlineData("example.com", "example.com:8443", false)]
    [InlineData("example.com:8443", "*.example.com:8443", false)]
    [InlineData("*.example.com", "example.com", false)]
    [InlineData("*.example.com", "*.example.com", true)]
    [InlineData("*.example.com", "a.b.example.com", true)]
    [InlineData("*.example.com", "*.b.example.com", true)]
    [InlineData("*.example.com", "*.badexample.com", false)]
    public void Two_patterns_overlap_where_a_host_is_of_both(string one, string other, bool overlap)
    {
        Assert.Equal(overlap, HostPattern.Parse(one).Overlaps(HostPattern.Parse(other)));
        Assert.Equal(overlap, HostPattern.Parse(other).Overlaps(HostPattern.Parse(one)));
    }

    [Theory]
    [InlineData("https://example.com")]
    [InlineData("example.com/path")]
    [InlineData("user@example.com")]
    [InlineData("*")]
    [InlineData("*.")]
    [InlineData("a.*.com")]
    [InlineData("*example.com")]
    [InlineData("example.com:0")]
    [InlineData("example.com:99999")]
    [InlineData("example.com:")]
    [InlineData("")]
    [InlineData(" example.com")]
    [InlineData("exa mple.com")]
    [InlineData("example.com\n")]
    [InlineData("127.0.0.1")]
    [InlineData("127.1")]
    [InlineData("2130706433")]
    [InlineData("0x7f.1")]
    [InlineData("0x7f000001")]
    [InlineData("[::1]")]
    [InlineData("-a.com")]
    public void What_is_no_pattern_is_refused_with_the_reason(string text) =>
        Assert.Throws<FormatException>(() => HostPattern.Parse(text));

    [Fact]
    public void A_limited_environment_reaches_what_it_names_and_nothing_else()
    {
        var options = new EgressOptions { PackageHosts = [HostPattern.Parse("mirror.corp.example:8080")] };
        var rules = EgressRules.Of(
            new Networking { Type = "limited", AllowedHosts = ["api.example.com"] }, [], options);
        var packages = EgressRules.Of(
            new Networking { Type = "limited", AllowPackageManagers = true }, [], options);
        var servers = EgressRules.Of(
            new Networking { Type = "limited", AllowMcpServers = true }, [HostPattern.Parse("mcp.example.com")],
            options);

        Assert.Null(rules.Refuse("api.example.com", 443));
        Assert.Contains("add it to allowed_hosts", rules.Refuse("registry.npmjs.org", 443), StringComparison.Ordinal);
        Assert.Contains("not 22", rules.Refuse("api.example.com", 22), StringComparison.Ordinal);
        Assert.Null(packages.Refuse("registry.npmjs.org", 443));
        Assert.Null(packages.Refuse("mirror.corp.example", 8080));
        Assert.NotNull(packages.Refuse("mcp.example.com", 443));
        Assert.Null(servers.Refuse("mcp.example.com", 443));
        Assert.NotNull(servers.Refuse("registry.npmjs.org", 443));
        Assert.Null(EgressRules.Of(new Networking { Type = "unrestricted" }, [], options).Refuse("any.example", 22));
        Assert.NotNull(EgressRules.Nothing.Refuse("any.example", 443));
    }
}
