using Microsoft.Extensions.DependencyInjection;
using System.Diagnostics;
using System.Net;
using Tenon.Server.Egress;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Xunit;

namespace Tenon.Server.Tests.Images;

/// <summary>A whole server, whose packages come from small repositories of each kind on loopback.</summary>
public sealed class PackageTests : IAsyncLifetime
{
    private PackageRepositories _repositories = null!;
    private TestServer _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _repositories = await PackageRepositories.Start();
        var options = new EgressOptions
        {
            AllowedRanges = [IPNetwork.Parse("127.0.0.0/8")], PackageHosts = _repositories.Mirrors.Hosts,
        };
        _server = await TestServer.Start(services => services.AddSingleton(_repositories.Mirrors).AddSingleton(options)
            .AddSingleton(provider => new EgressProxy(
                options, provider.GetRequiredService<RulesOf>(), provider.GetRequiredService<NoteEgress>(),
                provider.GetRequiredService<IdSource>(), provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<Microsoft.Extensions.Logging.ILogger<EgressProxy>>())
            {
                Resolver = (_, _) => Task.FromResult((IPAddress[])[IPAddress.Loopback]),
            }));
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _repositories.DisposeAsync();
    }

    [Fact]
    public async Task Packages_of_every_kind_are_installed_once_and_shared_by_sessions()
    {
        AddGem();
        var environment = await NewEnvironment(new
        {
            apt = new[] { "hello-apt" }, cargo = new[] { "hello-cargo" }, gem = new[] { "hello-gem:1.0.0" },
            go = new[] { "packages.test/hello-go@v1.0.0" }, npm = new[] { "hello-npm@1.0.0" },
            pip = new[] { "hello-pip==1.0" },
        });
        Assert.Equal("pending", (await State(environment)).Text("status"));

        var first = await NewSandbox(environment);
        var words = await Bash(first, """
            hello-apt; cat /usr/share/hello-apt/words; hello-cargo; hello-gem; hello-go 2>&1; hello-npm; hello-pip
            python3 -c 'import hello_pip; print(hello_pip.WORDS)'; node -e "console.log(require('hello-npm'))"
            touch /opt/packages/mine 2>&1; touch /usr/mine 2>&1; true
            """);
        var requests = _repositories.Requests;
        var second = await NewSandbox(environment);

        Assert.Equal(
            """
            hello from apt
            words
            hello from cargo
            hello from gem
            hello from go
            hello from npm
            hello from pip
            hello from pip
            hello from npm
            touch: cannot touch '/opt/packages/mine': Read-only file system
            touch: cannot touch '/usr/mine': Read-only file system
            """, words);
        Assert.Equal("hello from apt\nhello from npm", await Bash(second, "hello-apt; hello-npm"));
        Assert.Equal(requests, _repositories.Requests);
        var state = await State(environment);
        Assert.Equal("ready", state.Text("status"));
        Assert.Equal(["apt", "cargo", "gem", "go", "npm", "pip"], state.At("steps").Texts("manager"));
        Assert.All(state.At("steps").Texts("status"), status => Assert.Equal("ready", status));
    }

    [Fact]
    public async Task A_package_that_is_not_there_fails_where_client_operator_and_model_look()
    {
        var environment = await NewEnvironment(new { npm = new[] { "hello-npm" }, pip = new[] { "no-such-package" } });

        var failure = await Assert.ThrowsAsync<SandboxException>(() => NewSandbox(environment));

        Assert.Contains("pip said:", failure.Message, StringComparison.Ordinal);
        Assert.Contains("no-such-package", failure.Message, StringComparison.Ordinal);
        var state = await State(environment);
        Assert.Equal("failed", state.Text("status"));
        Assert.Equal(["ready", "failed"], state.At("steps").Texts("status"));
        Assert.Contains("no-such-package", state.At("steps")[1].Text("error"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_installs_from_mirrors_in_a_limited_environment_and_reaches_nothing_else()
    {
        var environment = await NewEnvironment(new { }, new { type = "limited", allow_package_managers = true });

        var sandbox = await NewSandbox(environment);
        var words = await Bash(sandbox, $"""
            npm install --silent --no-audit --no-fund hello-npm >/dev/null
            node -e "console.log(require('hello-npm'))"
            curl -s -o /dev/null -w '%{"{"}http_code{"}"}\n' http://other.test:{_repositories.Port}/npm/hello-npm
            curl -s -o apt.deb -w '%{"{"}http_code{"}"}\n' \
              http://packages.test:{_repositories.Port}/apt/hello-apt_1.0_all.deb
            dpkg-deb --extract apt.deb here && here/usr/bin/hello-apt
            """);

        Assert.Equal("hello from npm\n403\n200\nhello from apt", words);
    }

    [Fact]
    public async Task Packages_that_nobody_used_for_long_are_deleted_and_installed_again_when_somebody_asks()
    {
        var environment = await NewEnvironment(new { npm = new[] { "hello-npm" } });
        await NewSandbox(environment);
        var layers = Path.Combine(_server.Services.GetRequiredService<SandboxProvider>().Root, ".layers");
        var marker = Assert.Single(Directory.GetFiles(layers, "*.ready"));
        File.SetLastWriteTimeUtc(marker, TimeProvider.System.GetUtcNow().UtcDateTime - TimeSpan.FromDays(31));

        await NewSandbox(await NewEnvironment(new { pip = new[] { "hello-pip" } }));
        var wasDeleted = !File.Exists(marker);
        var again = await NewSandbox(environment);

        Assert.True(wasDeleted);
        Assert.Equal("hello from npm", await Bash(again, "hello-npm"));
    }

    [Theory]
    [InlineData("--index-url=http://evil.test")]
    [InlineData("two words")]
    [InlineData("")]
    [InlineData("line\nbreak")]
    public async Task What_is_no_name_of_a_package_is_refused(string name) =>
        (await _server.Post("/v1/environments", new
        {
            name = "bad", config = new { type = "cloud", packages = new { pip = new[] { "good", name } } },
        })).Refused(400, "config.packages.pip.1");

    [Fact]
    public async Task A_name_with_signs_of_the_shell_is_a_name()
    {
        var environment = await NewEnvironment(new { npm = new[] { "hello-npm';touch${IFS}/opt/packages/pwned;'" } });

        var failure = await Assert.ThrowsAsync<SandboxException>(() => NewSandbox(environment));

        Assert.Contains("npm said:", failure.Message, StringComparison.Ordinal);
    }

    private async Task<string> NewEnvironment(object packages, object? networking = null) =>
        (await _server.Post("/v1/environments", new
        {
            name = "with packages",
            config = new { type = "cloud", networking = networking ?? new { type = "unrestricted" }, packages },
        })).Ok().Text("id");

    private async Task<System.Text.Json.JsonElement> State(string environment) =>
        (await _server.Get($"/v1/environments/{environment}/packages")).Ok();

    /// <summary>The sandbox of a new session in the environment.</summary>
    private async Task<ISandbox> NewSandbox(string environment)
    {
        var agent = (await _server.Post("/v1/agents", new { name = "a", model = "scripted" })).Ok().Text("id");
        var session = (await _server.Post("/v1/sessions", new { agent, environment_id = environment })).Ok().Text("id");
        return await _server.Services.GetRequiredService<ISandboxProvider>().Open(session, Cancelled);
    }

    private static async Task<string> Bash(ISandbox sandbox, string command)
    {
        var output = await sandbox.Call(
            new SandboxCall($"call_{Guid.NewGuid():N}", "bash", System.Text.Json.JsonSerializer.SerializeToElement(
                new { command })), Cancelled);
        var text = Sandboxes.ToolOutputText.Text(output);
        Assert.False(output.IsError, text);
        return text;
    }

    // Ruby's index is in Ruby's own binary format, so Ruby makes it.
    private void AddGem()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(Path.Combine(folder.Path, "bin"));
        Directory.CreateDirectory(Path.Combine(folder.Path, "repository", "gems"));
        File.WriteAllText(Path.Combine(folder.Path, "bin", "hello-gem"), "puts 'hello from gem'\n");
        File.WriteAllText(Path.Combine(folder.Path, "hello-gem.gemspec"), """
            Gem::Specification.new do |gem|
              gem.name, gem.version, gem.summary, gem.authors = 'hello-gem', '1.0.0', 'says hello', ['Test']
              gem.files, gem.executables = ['bin/hello-gem'], ['hello-gem']
            end
            """);
        Ruby("gem build hello-gem.gemspec --output repository/gems/hello-gem-1.0.0.gem "
            + "&& gem generate_index -d repository");
        _repositories.AddDirectory("gem", Path.Combine(folder.Path, "repository"));

        void Ruby(string command)
        {
            using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"({command}) >/dev/null 2>&1"])
            {
                WorkingDirectory = folder.Path, Environment = { ["PATH"] = "/usr/bin:/bin" },
            })!;
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
    }
}
