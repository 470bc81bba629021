using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>Secrets on their way out, and on their way back.</summary>
public sealed class EgressCredentialTests : IAsyncLifetime
{
    private const string Secret = "sk-live/a+b=\"c\"&d";

    private readonly TestAuthority _authority = new();
    private readonly EgressLab _lab;
    private EchoHost _host = null!;
    private HttpClient _client = null!;
    private string _placeholder = "";

    public EgressCredentialTests() => _lab = new EgressLab(root: _authority.Root);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Url => $"https://one.test:{_host.Port}";

    public async ValueTask InitializeAsync()
    {
        _host = await EchoHost.Start(_authority.Certify("one.test", "two.test"));
        _client = _lab.Client();
        _lab.Credentials = [Credential()];
        _placeholder = await _lab.Placeholder();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _lab.DisposeAsync();
        await _host.DisposeAsync();
        _authority.Dispose();
    }

    [Fact]
    public async Task A_placeholder_in_a_header_becomes_the_secret_and_the_answer_has_the_placeholder_again()
    {
        var answer = await Send(HttpMethod.Get, "/echo/a", null, ("X-Key", $"Bearer {_placeholder}"));

        Assert.Contains($"X-Key: Bearer {Secret}\n", _host.Got.Single(), StringComparison.Ordinal);
        Assert.Contains($"X-Key: Bearer {_placeholder}\n", answer, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, answer, StringComparison.Ordinal);
        var line = Assert.Single(await _lab.EndedAudit());
        Assert.Equal(("GET", "one.test", "allowed", null), (line.Method, line.Host, line.Verdict, line.Reason));
        Assert.Equal(["cred_1"], line.Credentials);
    }

    [Fact]
    public async Task A_placeholder_in_a_basic_authorization_becomes_the_secret()
    {
        var pair = Convert.ToBase64String(Encoding.ASCII.GetBytes($"user:{_placeholder}"));

        var answer = await Send(HttpMethod.Get, "/echo/a", null, ("Authorization", $"Basic {pair}"));

        var secret = Convert.ToBase64String(Encoding.ASCII.GetBytes($"user:{Secret}"));
        Assert.Contains($"Authorization: Basic {secret}\n", _host.Got.Single(), StringComparison.Ordinal);
        Assert.DoesNotContain(secret[8..^4], answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/plain", "PLACEHOLDER!", Secret + "!")]
    [InlineData("application/json", "{\"a\":\"PLACEHOLDER\"}", "{\"a\":\"sk-live/a+b=\\\"c\\\"&d\"}")]
    [InlineData("application/x-www-form-urlencoded", "a=PLACEHOLDER&b=1", "a=sk-live%2Fa%2Bb%3D%22c%22%26d&b=1")]
    public async Task A_placeholder_in_a_body_becomes_the_secret_as_the_body_writes_it(
        string type, string body, string got)
    {
        var content = Content(type, body.Replace("PLACEHOLDER", _placeholder, StringComparison.Ordinal));

        var answer = await Send(HttpMethod.Post, "/echo/a", content);

        Assert.Contains($"Content-Length: {got.Length}\n", _host.Got.Single(), StringComparison.Ordinal);
        Assert.EndsWith("\n\n" + got, _host.Got.Single(), StringComparison.Ordinal);
        Assert.DoesNotContain("sk-live", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_long_body_is_replaced_while_it_passes_wherever_it_is_cut(bool chunked)
    {
        var filler = new string('x', 50_001);
        var body = string.Concat(Enumerable.Repeat(filler + _placeholder, 40));
        (string, string)[] headers = chunked ? [("Transfer-Encoding", "chunked")] : [];

        await Send(HttpMethod.Post, "/echo/a", Content("text/plain", body), headers);

        Assert.EndsWith(
            "\n\n" + string.Concat(Enumerable.Repeat(filler + Secret, 40)), _host.Got.Single(),
            StringComparison.Ordinal);
        Assert.Equal(body.Length, Assert.Single(await _lab.EndedAudit()).BytesSent);
    }

    [Fact]
    public async Task A_client_that_waits_to_be_told_to_go_on_is_told_so()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Url + "/echo/a")
        {
            Content = Content("text/plain", _placeholder), Headers = { ExpectContinue = true },
        };

        using var answer = await _client.SendAsync(request, Cancelled);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.EndsWith("\n\n" + Secret, _host.Got.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_body_is_passed_on_as_it_is()
    {
        var content = Content("text/plain", _placeholder);
        content.Headers.ContentEncoding.Add("x-packed");

        await Send(HttpMethod.Post, "/echo/a", content);

        Assert.EndsWith("\n\n" + _placeholder, _host.Got.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_credential_is_put_only_where_it_may_be()
    {
        _lab.Credentials = [Credential() with { InHeader = false }];
        await Send(HttpMethod.Post, "/echo/a", Content("text/plain", _placeholder), ("X-Key", _placeholder));
        _lab.Credentials = [Credential() with { InBody = false }];
        await Send(HttpMethod.Post, "/echo/a", Content("text/plain", _placeholder), ("X-Key", _placeholder));

        var (first, second) = (_host.Got.First(), _host.Got.Last());
        Assert.Contains($"X-Key: {_placeholder}\n", first, StringComparison.Ordinal);
        Assert.EndsWith("\n\n" + Secret, first, StringComparison.Ordinal);
        Assert.Contains($"X-Key: {Secret}\n", second, StringComparison.Ordinal);
        Assert.EndsWith("\n\n" + _placeholder, second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_placeholder_in_a_path_or_a_query_stays_one()
    {
        await Send(HttpMethod.Get, $"/echo/{_placeholder}?key={_placeholder}", null);

        Assert.StartsWith(
            $"GET /echo/{_placeholder}?key={_placeholder} ", _host.Got.Single(), StringComparison.Ordinal);
        Assert.Empty(Assert.Single(await _lab.EndedAudit()).Credentials);
    }

    [Fact]
    public async Task To_another_host_a_placeholder_stays_one_also_after_a_redirect()
    {
        var other = $"https://two.test:{_host.Port}/echo/a";
        using var redirect = await _client.GetAsync(
            new Uri($"{Url}/to?url={Uri.EscapeDataString(other)}"), Cancelled);
        Assert.Equal(other, redirect.Headers.Location?.ToString());

        await Send(HttpMethod.Post, other, Content("text/plain", _placeholder), ("X-Key", _placeholder));

        Assert.Contains($"X-Key: {_placeholder}\n", _host.Got.Single(), StringComparison.Ordinal);
        Assert.EndsWith("\n\n" + _placeholder, _host.Got.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_is_never_sent_by_plain_http_and_never_comes_back_by_it()
    {
        await using var plain = await EchoHost.Start(null);
        _lab.Credentials = [Credential() with { Hosts = [HostPattern.Parse($"one.test:{plain.Port}")] }];

        var answer = await Send(
            HttpMethod.Post, $"http://one.test:{plain.Port}/echo/a", Content("text/plain", "known: " + Secret),
            ("X-Key", _placeholder));

        Assert.Contains($"X-Key: {_placeholder}\n", plain.Got.Single(), StringComparison.Ordinal);
        Assert.EndsWith("known: " + _placeholder, answer, StringComparison.Ordinal);
        Assert.Empty(Assert.Single(await _lab.EndedAudit()).Credentials);
    }

    [Fact]
    public async Task An_answer_has_the_secret_in_none_of_the_common_forms()
    {
        var body = await Send(HttpMethod.Get, "/form", null, ("X-Key", _placeholder));
        using var request = new HttpRequestMessage(HttpMethod.Get, Url + "/header");
        request.Headers.TryAddWithoutValidation("X-Key", _placeholder);
        using var header = await _client.SendAsync(request, Cancelled);

        Assert.Equal(3, body.Split(_placeholder).Length - 1);
        Assert.Equal([_placeholder], header.Headers.GetValues("X-Key"));
    }

    [Fact]
    public async Task A_host_is_asked_for_whole_and_plain_answers_and_one_that_compresses_all_the_same_is_refused()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url + "/packed");
        request.Headers.TryAddWithoutValidation("X-Key", _placeholder);
        using var packed = await _client.SendAsync(request, Cancelled);
        await Send(HttpMethod.Get, "/echo/a", null, ("Accept-Encoding", "gzip, br"), ("Range", "bytes=0-3"));

        Assert.Equal(HttpStatusCode.BadGateway, packed.StatusCode);
        Assert.Contains(
            "compressed its answer", await packed.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
        Assert.Contains("Accept-Encoding: identity\n", _host.Got.Single(), StringComparison.Ordinal);
        Assert.DoesNotContain("Range", _host.Got.Single(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HEAD", "1.1", "content-length: 9\r\nconnection: close\r\n\r\n")]
    [InlineData("GET", "1.1", "transfer-encoding: chunked\r\nconnection: close\r\n\r\n3a\r\nPLACEHOLDER\r\n0\r\n\r\n")]
    [InlineData("GET", "1.0", "connection: close\r\n\r\nPLACEHOLDER")]
    public async Task A_scrubbed_answer_has_a_frame_that_its_client_knows(string method, string version, string rest)
    {
        var head = "HTTP/1.1 200 OK\r\ncontent-length: ";
        await using var host = new RawHost(
            method == "HEAD" ? head + "9\r\n\r\n" : $"{head}{Secret.Length}\r\n\r\n{Secret}");
        var authority = $"one.test:{host.Port}";
        _lab.Credentials = [Credential() with { Hosts = [HostPattern.Parse(authority)] }];

        var answer = await _lab.Send(
            $"{method} http://{authority}/ HTTP/{version}\r\nHost: {authority}\r\nConnection: close\r\n\r\n");

        rest = rest.Replace("PLACEHOLDER", _placeholder, StringComparison.Ordinal);
        Assert.Equal("HTTP/1.1 200 OK\r\n" + rest, answer);
    }

    [Fact]
    public async Task A_stream_of_events_is_held_back_only_where_a_secret_may_have_begun()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url + "/slow");
        request.Headers.TryAddWithoutValidation("X-Key", _placeholder);
        using var answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancelled));

        Assert.Equal("data: first", await reader.ReadLineAsync(Cancelled));
        await reader.ReadLineAsync(Cancelled);
        _host.Release();

        Assert.Equal($"data: {_placeholder}", await reader.ReadLineAsync(Cancelled));
    }

    [Fact]
    public async Task A_secret_that_is_changed_or_taken_away_counts_at_once_on_a_connection_that_is_open()
    {
        await Send(HttpMethod.Get, "/echo/a", null, ("X-Key", _placeholder));
        _lab.Credentials = [Credential() with { Secret = "another secret" }];
        Assert.Equal(_placeholder, await _lab.Placeholder());
        await Send(HttpMethod.Get, "/echo/b", null, ("X-Key", _placeholder));
        _lab.Credentials = [];
        await Send(HttpMethod.Get, "/echo/c", null, ("X-Key", _placeholder));

        Assert.Equal(
            [Secret, "another secret", _placeholder],
            _host.Got.Select(got => got.Split("X-Key: ")[1].Split('\n')[0]));
        Assert.Equal([1, 1, 0], (await _lab.EndedAudit()).Select(line => line.Credentials.Count));
    }

    [Fact]
    public async Task A_secret_that_would_end_its_header_is_not_put_there()
    {
        _lab.Credentials = [Credential() with { Secret = "of two\r\nX-Lines: 1" }];

        await Send(HttpMethod.Post, "/echo/a", Content("text/plain", _placeholder), ("X-Key", _placeholder));

        Assert.Contains($"X-Key: {_placeholder}\n", _host.Got.Single(), StringComparison.Ordinal);
        Assert.EndsWith("\n\nof two\r\nX-Lines: 1", _host.Got.Single(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("short", "NAME")]
    [InlineData(Secret, "1NAME")]
    [InlineData(Secret, "NA=ME")]
    public async Task A_credential_that_cannot_be_kept_is_not_given(string secret, string name)
    {
        _lab.Credentials = [Credential() with { Secret = secret, Name = name }];

        Assert.Empty(await _lab.Known.Variables(EgressLab.Session, Cancelled));
    }

    [Fact]
    public async Task Placeholders_differ_between_sessions_and_between_credentials()
    {
        _lab.Credentials = [Credential(), Credential() with { Id = "cred_2", Name = "OTHER" }];

        var placeholders = (await _lab.Known.Variables("sesn_1", Cancelled))
            .Concat(await _lab.Known.Variables("sesn_2", Cancelled)).Select(variable => variable.Value).ToList();

        Assert.Equal(4, placeholders.Distinct().Count());
        Assert.All(placeholders, one => Assert.Matches("^tenon_placeholder_[0-9a-f]{40}$", one));
    }

    [Fact]
    public void A_credential_does_not_say_its_secret_by_itself() =>
        Assert.DoesNotContain(Secret, Credential().ToString(), StringComparison.Ordinal);

    private EgressCredential Credential() => new()
    {
        Id = "cred_1", Name = "API_KEY", Secret = Secret, Hosts = [HostPattern.Parse($"one.test:{_host.Port}")],
    };

    private static ByteArrayContent Content(string type, string text) => new(Encoding.UTF8.GetBytes(text))
    {
        Headers = { ContentType = new MediaTypeHeaderValue(type) },
    };

    /// <param name="path">Or a whole URL.</param>
    private async Task<string> Send(
        HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path[0] == '/' ? Url + path : path) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var answer = await _client.SendAsync(request, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadAsStringAsync(Cancelled);
    }
}
