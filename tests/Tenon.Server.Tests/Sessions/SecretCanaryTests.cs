using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Tenon.Server.Egress;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Egress;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Server.Tests.Vaults;
using Tenon.Wire;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>
/// A whole server whose agent uses a secret in every way there is. Afterwards the secret is searched for wherever the
/// session left something; what stands for it is found in the same places, so the search does find.
/// </summary>
public sealed class SecretCanaryTests : IAsyncLifetime
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private const long Mebibyte = 1024 * 1024;

    private readonly string _secret = $"canary+{RandomNumberGenerator.GetHexString(24, lowercase: true)}/&";
    private readonly TestAuthority _authority = new();
    private readonly ConcurrentQueue<Activity> _spans = new();
    private EchoHost _host = null!;
    private ActivityListener _listener = null!;

    public static TheoryData<string> Drivers => [.. ((string[])["bubblewrap", SandboxLab.OciDriver]).Distinct()];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await EchoHost.Start(_authority.Certify("one.test", "two.test"));
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == EgressTrace.Name,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _host.DisposeAsync();
        _authority.Dispose();
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public async Task A_secret_that_an_agent_uses_is_left_nowhere(string driver)
    {
        var secret = SecretCanary.Of(_secret);
        await using var server = await Start(driver, secret);
        var vault = await NewVault(server);
        var session = await server.NewSession(Tools, $"\"vault_ids\":[\"{vault}\"]");
        var placeholder = await session.Shell("printf %s $API_KEY");
        Assert.StartsWith("tenon_placeholder_", placeholder, StringComparison.Ordinal);

        // Something goes on with the placeholder in its memory while everything is searched.
        var said = await session.Shell(Uses(_host.Port));

        Assert.Contains($"Authorization: Basic {Basic(_secret)}\n", _host.Got.First(), StringComparison.Ordinal);
        Assert.EndsWith($"key={WebUtility.UrlEncode(_secret)}", _host.Got.First(), StringComparison.Ordinal);
        Assert.All(_host.Got.Skip(1), got => Assert.False(secret.IsIn(got), got));
        Assert.Equal(4, _host.Got.Count);
        Assert.Contains($"X-Key: {placeholder}\n", _host.Got.Last(), StringComparison.OrdinalIgnoreCase);
        await Sweep(server, session, secret, new SecretCanary([placeholder]), said);

        (await server.Post($"/v1/vaults/{vault}/archive")).Ok();
        await session.Shell($"curl -sS -H \"X-Key: $API_KEY\" https://one.test:{_host.Port}/echo/d");
        Assert.Contains($"X-Key: {placeholder}\n", _host.Got.Last(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_placeholder_is_the_same_after_a_restart_and_another_one_in_a_fork()
    {
        await using var server = await Start("bubblewrap", SecretCanary.Of(_secret));
        var session = await server.NewSession(Tools, $"\"vault_ids\":[\"{await NewVault(server)}\"]");
        var first = await session.Shell("LEFT=over; printf %s $API_KEY");

        var forked = (await server.Post($"{session.Path}/fork", "{}")).Ok();
        var fork = await new TestSession(server, forked, session.Model).Shell("echo $API_KEY $LEFT");
        await server.Restart();
        await server.Services.GetRequiredService<SandboxProvider>().Stop(session.Id, Cancelled);
        var later = await session.Shell("printf %s $API_KEY");

        Assert.Equal(first, later);
        Assert.Matches("^tenon_placeholder_[0-9a-f]{40} over$", fork);
        Assert.DoesNotContain(first, fork, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_example_program_shows_that_an_agent_has_a_placeholder()
    {
        await using var server = await Start("bubblewrap", SecretCanary.Of(_secret));
        server.Models.Of("note-taker").Calls("bash", """{"command":"echo $NOTES_KEY"}""").Says("A placeholder.");

        var output = await ExampleProgram.Run(server, "vault.mjs", new() { ["MODEL"] = "note-taker" });

        Assert.Matches("^tenon_placeholder_[0-9a-f]{40}\n$", output);
    }

    private async Task<string> NewVault(TestServer server)
    {
        var vault = await server.NewVault();
        await server.NewCredential(vault, VaultLab.Variable("API_KEY", _secret, $"\"one.test:{_host.Port}\""));

        // Nobody gives a variable that every sandbox has another meaning.
        (await server.AddCredential(vault, VaultLab.Variable("PATH", "another secret")))
            .Refused(400, "auth.secret_name: every sandbox has a PATH of its own.");
        return vault;
    }

    private static string Basic(string secret) =>
        Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes("user:" + secret));

    /// <summary>By Basic, in a form, in a path, to another host, after a redirect, and to nobody.</summary>
    private static string Uses(int port) => $$"""
        one=https://one.test:{{port}} two=https://two.test:{{port}}
        curl -sS -u "user:$API_KEY" -d "key=$API_KEY" $one/echo/a | tee /workspace/kept /tmp/kept ~/kept /outputs/kept
        curl -sS "$one/echo/$API_KEY?key=$API_KEY"
        curl -sS -H "X-Key: $API_KEY" -d "$API_KEY" $two/echo/b
        curl -sSL -H "X-Key: $API_KEY" "$one/to?url=$two/echo/c"
        curl -sS -H "X-Key: $API_KEY" "$one/header" -D - -o /dev/null
        curl -sS -H "X-Key: $API_KEY" https://one.test:1/ 2>&1
        curl -sS -H "X-Key: $API_KEY" "$one/packed" 2>&1
        (exec -a "$API_KEY" sleep 600) >/dev/null 2>&1 &
        env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n'
        """;

    private async Task Sweep(
        TestServer server, TestSession session, SecretCanary secret, SecretCanary placeholder, string said)
    {
        var sandboxes = server.Services.GetRequiredService<SandboxProvider>();
        var record = sandboxes.FolderOf(session.Id).ReadRecord()!;
        var events = $"{await session.List()} {await session.List("?limit=100&order=desc")} {said}";
        var audit = (await server.Get($"{session.Path}/egress")).Ok().ToString();
        string[] inside = [.. ((string[])["tmp", "dev/shm", "workspace", "home", "mnt", "etc", "run", "var"])
            .Select(name => $"/proc/{record.Pid}/root/{name}")];

        Assert.False(secret.IsIn(events));
        Assert.True(placeholder.IsIn(events));
        Assert.False(secret.IsIn(audit));
        Assert.Contains("vcrd_", audit, StringComparison.Ordinal);
        Assert.DoesNotContain(_spans, span => span.TagObjects.Any(tag => secret.IsIn($"{tag.Value}"))
            || secret.IsIn($"{span.StatusDescription}"));
        Assert.NotEmpty(_spans);
        Assert.Equal([], await secret.InFiles(inside));
        if (record.Uid is { } uid)
        {
            var processes = placeholder.InProcesses(uid);
            Assert.Equal([], secret.InProcesses(uid));
            Assert.Contains(processes, path => path.EndsWith("environ", StringComparison.Ordinal));
            Assert.Contains(processes, path => path.EndsWith("mem", StringComparison.Ordinal));
            Assert.NotEmpty(await placeholder.InFiles(inside));
        }

        // With the snapshot of a session that rests, and whatever the database has not yet put in its place.
        await sandboxes.Stop(session.Id, Cancelled);
        var found = await placeholder.InFiles(server.DataDirectory, sandboxes.Root);
        Assert.Equal([], await secret.InFiles(server.DataDirectory, sandboxes.Root));
        Assert.Contains(found, path => path.Contains("tenon.db", StringComparison.Ordinal));
        Assert.Contains(found, path => !path.Contains("tenon.db", StringComparison.Ordinal));
        Assert.NotEmpty(secret.Logged);
        Assert.DoesNotContain(secret.Logged, secret.IsIn);
    }

    private Task<TestServer> Start(string driver, SecretCanary log) => TestServer.Start(services =>
    {
        var options = new EgressOptions
        {
            AllowedRanges = [IPNetwork.Parse("127.0.0.0/8")], ExtraRoots = [_authority.Root],
        };
        var sandbox = services.Select(service => service.ImplementationInstance).OfType<SandboxOptions>().Last();
        services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log))
            .AddSingleton(options)
            .AddSingleton(sandbox with
            {
                // Small, since all of it is searched.
                Driver = driver, DiskBytes = 64 * Mebibyte, StoreStepBytes = 512 * Mebibyte,
                ReserveBytes = 64 * Mebibyte,
            })
            .AddSingleton(provider => new EgressProxy(
                options, provider.GetRequiredService<RulesOf>(), provider.GetRequiredService<NoteEgress>(),
                provider.GetRequiredService<IdSource>(), TimeProvider.System,
                provider.GetRequiredService<ILogger<EgressProxy>>(), provider.GetRequiredService<EgressEdge>())
            {
                Resolver = (_, _) => Task.FromResult((IPAddress[])[IPAddress.Loopback]),
            });
    });
}
