using System.Net;
using System.Text.Json;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>What <c>web_fetch</c> does not open. Nothing is sent to any address but the page host's.</summary>
public sealed class WebFetchGuardTests : IAsyncDisposable
{
    private readonly PageHost _host = new();
    private readonly WebLab _lab = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _lab.Dispose();
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData("site.test", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("/etc/passwd", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("file:///etc/passwd", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("ftp://site.test/", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("gopher://site.test/", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("javascript:alert(1)", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("data:text/plain,x", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("http://", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("http://site.test/a b", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("http://site.test/\r\nX: y", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("http:\\\\site.test\\", "invalid_tool_input: url must be a whole http or https URL.")]
    [InlineData("http://user:word@site.test/", "invalid_tool_input: url must hold no user name and no password.")]
    [InlineData("http://user@site.test/", "invalid_tool_input: url must hold no user name and no password.")]
    [InlineData("http://site.test:22/", "url_not_allowed: port 22 ")]
    [InlineData("http://site.test:25/", "url_not_allowed: port 25 ")]
    [InlineData("http://-.test/", "invalid_tool_input: ")]
    public async Task An_address_that_is_none_is_refused(string url, string error) => await Refused(url, error);

    [Fact]
    public async Task An_address_that_is_too_long_is_refused() =>
        await Refused("http://site.test/" + new string('a', 2_048), "url_too_long: a URL has at most 2048 characters.");

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"url":1}""")]
    [InlineData("""{"url":""}""")]
    [InlineData("""{"url":"\ud800"}""")]
    public async Task An_input_without_an_address_is_refused(string input)
    {
        var call = new WebCall("web_fetch", JsonElement.Parse(input), [], null, new KnownUrls());

        var output = await _lab.Tools.Run(call, Token);

        Assert.Equal((true, "invalid_tool_input: url must be text."), (output.IsError, WebLab.Text(output)));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("2130706433")]
    [InlineData("0x7f.1")]
    [InlineData("017700000001")]
    [InlineData("127.1")]
    [InlineData("[::1]")]
    [InlineData("[::ffff:127.0.0.1]")]
    [InlineData("169.254.169.254")]
    [InlineData("10.0.0.1")]
    [InlineData("93.184.215.14")]
    public async Task An_address_in_place_of_a_name_is_refused_in_every_spelling(string host)
    {
        await Refused($"http://{host}/", "url_not_allowed: ");
        Assert.Empty(_lab.Lookups);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.3")]
    [InlineData("10.1.2.3")]
    [InlineData("192.168.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("100.64.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("::ffff:10.0.0.1")]
    public async Task A_name_that_leads_to_a_place_that_is_not_public_is_refused(string address)
    {
        _lab.Names["inside.test"] = [IPAddress.Parse(address)];

        await Refused(
            "http://inside.test/", "url_not_allowed: inside.test leads to an address that is not public.");
    }

    [Fact]
    public async Task The_operators_ranges_are_reached_by_name_and_by_address()
    {
        _host.Page("/", "text/plain", "inside");

        Assert.Equal("inside", WebLab.Text(await _lab.Fetch(_host.Url("/"), Token)));
        Assert.Equal("inside", WebLab.Text(await _lab.Fetch($"http://127.0.0.2:{_host.Port}/", Token)));
        var limited = new WebToolSettings { Domains = new DomainList(null, ["other.com"]) };
        var output = await _lab.Fetch($"http://127.0.0.2:{_host.Port}/", limited, Token);
        Assert.StartsWith("url_not_allowed: 127.0.0.2 is an address", WebLab.Text(output), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_is_looked_up_once_and_what_was_judged_is_what_is_dialled()
    {
        _host.Page("/", "text/plain", "here");

        // Were it asked a second time, it would lead elsewhere.
        Assert.Equal("here", WebLab.Text(await _lab.Fetch(_host.Url("/", "rebind.test"), Token)));
        Assert.Equal(["rebind.test"], _lab.Lookups);
    }

    [Fact]
    public async Task Of_several_addresses_only_those_that_may_be_dialled_are()
    {
        _lab.Names["both.test"] = [IPAddress.Loopback, PageHost.Address];
        _host.Page("/", "text/plain", "here");

        Assert.Equal("here", WebLab.Text(await _lab.Fetch(_host.Url("/", "both.test"), Token)));
    }

    [Theory]
    [InlineData("http://127.0.0.1/", "url_not_allowed: 127.0.0.1 is an address")]
    [InlineData("http://[::1]:8080/", "url_not_allowed: [::1] is an address")]
    [InlineData("http://inside.test/", "url_not_allowed: inside.test leads to an address that is not public.")]
    [InlineData("http://169.254.169.254/latest/meta-data", "url_not_allowed: 169.254.169.254 is an address")]
    [InlineData("file:///etc/passwd", "url_not_accessible: it redirects to an address that is none of a page.")]
    [InlineData("http://user:word@site.test/", "url_not_accessible: it redirects to an address that is none of")]
    [InlineData("http://site.test:22/", "url_not_allowed: port 22 ")]
    public async Task A_redirect_is_judged_as_the_first_address_was(string target, string error)
    {
        _lab.Names["inside.test"] = [IPAddress.Loopback];
        _host.Redirect("/", target);

        await Refused(_host.Url("/"), error);
    }

    [Fact]
    public async Task A_redirect_to_a_site_that_the_agent_may_not_see_is_refused()
    {
        _host.Redirect("/", _host.Url("/", "other.test")).Page("/x", "text/plain", "x");
        var settings = new WebToolSettings { Domains = new DomainList(["site.test"], null) };

        var output = await _lab.Fetch(_host.Url("/"), settings, Token);

        Assert.Equal("url_not_allowed: the agent's web_fetch may not reach other.test.", WebLab.Text(output));
        Assert.Single(_host.Requests);
    }

    [Fact]
    public async Task Redirects_end()
    {
        _host.Redirect("/", "/");

        await Refused(_host.Url("/"), "url_not_accessible: it redirects more than 5 times.");
        Assert.Equal(6, _host.Requests.Count);
    }

    [Theory]
    [InlineData("site.test", null, true)]
    [InlineData("sub.site.test", null, true)]
    [InlineData("SITE.TEST", null, true)]
    [InlineData("site.test.", null, true)]
    [InlineData("notsite.test", null, false)]
    [InlineData("site.test.evil.test", null, false)]
    [InlineData("site.test", "site.test", false)]
    [InlineData("site.test.", "site.test", false)]
    [InlineData("Sub.Site.Test", "site.test", false)]
    [InlineData("notsite.test", "site.test", true)]
    public async Task The_agents_lists_hold_for_the_host_and_what_is_below_it(string host, string? blocked, bool opens)
    {
        _host.Page("/", "text/plain", "here");
        var domains = blocked is null ? new DomainList(["site.test"], null) : new DomainList(null, [blocked]);

        var output = await _lab.Fetch(
            _host.Url("/", host), new WebToolSettings { Domains = domains }, Token);

        Assert.Equal(!opens, output.IsError);
        Assert.Equal(opens, !WebLab.Text(output).StartsWith("url_not_allowed: ", StringComparison.Ordinal));
    }

    private async Task Refused(string url, string error)
    {
        var output = await _lab.Fetch(url, Token);

        Assert.True(output.IsError);
        Assert.StartsWith(error, WebLab.Text(output), StringComparison.Ordinal);
    }
}
