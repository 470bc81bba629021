using System.Diagnostics;
using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Images;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>
/// Common programs in a sandbox, over TLS whose authority is the operator's own: to a host that is passed through, and
/// to one at which TLS ends at the proxy. None is told what to trust.
/// </summary>
public sealed class EgressToolTests : IAsyncLifetime
{
    private const string Ended = "one.test";
    private const string Passed = "two.test";

    private readonly TestAuthority _authority = new();
    private readonly TempFolder _files = new();
    private readonly EgressLab _egress;
    private readonly SandboxLab _lab;
    private ISandbox _sandbox = null!;

    public EgressToolTests()
    {
        _egress = new EgressLab(root: _authority.Root);
        _lab = new SandboxLab(egress: _egress.Proxy);
    }

    public async ValueTask InitializeAsync() => _sandbox = await _lab.Open();

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _egress.DisposeAsync();
        _files.Dispose();
        _authority.Dispose();
    }

    [Theory]
    [InlineData(Ended)]
    [InlineData(Passed)]
    public async Task Clients_of_http_and_git_trust_what_the_sandbox_trusts(string name)
    {
        await MakeRepository();
        await using var host = await EchoHost.Start(_authority.Certify(name), _files.Path);
        Use(host.Port);
        var url = $"https://{name}:{host.Port}";

        Assert.Contains("GET /echo/curl", await _lab.Text(_sandbox, $"curl -sS {url}/echo/curl"),
            StringComparison.Ordinal);
        Assert.Contains("GET /echo/curl", await _lab.Text(_sandbox, $"env -u CURL_CA_BUNDLE -u SSL_CERT_FILE "
            + $"curl -sS {url}/echo/curl"), StringComparison.Ordinal);
        Assert.Contains("GET /echo/wget", await _lab.Text(_sandbox, $"wget -qO- {url}/echo/wget"),
            StringComparison.Ordinal);
        Assert.Contains("GET /echo/python", await _lab.Text(_sandbox, "/usr/bin/python3 -c 'import urllib.request; "
            + $"print(urllib.request.urlopen(\"{url}/echo/python\").read().decode())'"), StringComparison.Ordinal);
        Assert.Contains("GET /echo/node", await _lab.Text(_sandbox, Node(name, host.Port)), StringComparison.Ordinal);
        Assert.Equal(
            "of the repository",
            await _lab.Text(_sandbox, $"git clone -q {url}/files/repo.git /tmp/r && cat /tmp/r/file"));
        var methods = (await _egress.EndedAudit()).Select(line => line.Method).Distinct();
        Assert.Equal([name == Ended ? "GET" : "CONNECT"], methods);
    }

    [Theory]
    [InlineData(Ended)]
    [InlineData(Passed)]
    public async Task Package_managers_trust_what_the_sandbox_trusts(string name)
    {
        await using var repositories = await PackageRepositories.Start(_authority.Certify(name), name);
        Use(repositories.Port);

        Assert.Contains("hello", await _lab.Text(_sandbox, "/usr/bin/python3 -m pip install -q --no-deps "
            + $"--disable-pip-version-check --target /tmp/p --index-url {repositories.Mirrors.Pip} hello-pip "
            + "2>&1 >/dev/null; PYTHONPATH=/tmp/p /usr/bin/python3 -c 'import hello_pip; print(hello_pip.WORDS)'"),
            StringComparison.Ordinal);
        Assert.Contains("hello from npm", await _lab.Text(_sandbox, "mkdir -p /tmp/n && cd /tmp/n && npm install "
            + $"--no-audit --no-fund --loglevel=error --registry {repositories.Mirrors.Npm} hello-npm >/dev/null "
            + "&& node -e \"console.log(require('hello-npm'))\""), StringComparison.Ordinal);
    }

    /// <summary>A tunnel by hand, since not every version asks the environment for a proxy.</summary>
    private static string Node(string name, int port) => $$"""
        node -e "
        const http = require('http'), https = require('https'), at = '{{name}}:{{port}}';
        http.request({ host: '127.0.0.1', port: 3128, method: 'CONNECT', path: at, headers: { host: at } })
          .on('connect', (_, socket) => https.get(
            { host: '{{name}}', port: {{port}}, path: '/echo/node', agent: false, socket, servername: '{{name}}',
              createConnection: () => require('tls').connect({ socket, servername: '{{name}}' }) },
            answer => answer.pipe(process.stdout))).end()"
        """;

    private void Use(int port) => _egress.Credentials =
    [
        new EgressCredential
        {
            Id = "cred_1", Name = "API_KEY", Secret = "a secret of the test",
            Hosts = [HostPattern.Parse($"{Ended}:{port}")],
        },
    ];

    private async Task MakeRepository()
    {
        var script = "git init -q w && cd w && echo of the repository >file && git add file "
            + "&& git -c user.name=t -c user.email=t@one.test commit -q -m m && cd .. "
            + "&& git clone -q --bare w repo.git && git -C repo.git update-server-info";
        using var process = Process.Start(new ProcessStartInfo("bash", ["-ec", script])
        {
            WorkingDirectory = _files.Path,
        })!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }
}
