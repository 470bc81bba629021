using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Repositories;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Sessions;
using Tenon.Server.Tests.Support;
using Tenon.Server.Vaults;
using Tenon.Wire;
using Xunit;

namespace Tenon.Server.Tests.Repositories;

public sealed class RepositoryTests : IAsyncLifetime
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";
    private const string Token = "token-of-a-repository";

    private readonly TestAuthority _authority = new();
    private readonly SecretCanary _secret = SecretCanary.Of(Token);
    private GitHost _host = null!;
    private TestServer? _server;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string> Drivers => [.. ((string[])["bubblewrap", SandboxLab.OciDriver]).Distinct()];

    public async ValueTask InitializeAsync()
    {
        _host = await GitHost.Start(_authority.Certify("git.test"));
        _host.Tokens[Token] = true;
        _host.Commit("private", "main", ("README.md", "first\n"), ("src/a.txt", "a\n"));
    }

    public async ValueTask DisposeAsync()
    {
        await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
        await _host.DisposeAsync();
        _authority.Dispose();
    }

    [Theory]
    [MemberData(nameof(Drivers))]
    public async Task An_agent_changes_a_private_repository_whose_token_it_never_has(string driver)
    {
        var session = await Session(Resource("private", Token), driver);

        var said = await session.Shell("""
            cd /workspace/private && cat README.md && echo second >> README.md
            git commit -qam 'A second line' && git push -q origin main && git log --oneline | wc -l
            env; cat .git/config; git config --list --show-origin
            """);

        Assert.Equal("first\nsecond", _host.Git(_host.PathOf("private"), "show", "main:README.md"));
        Assert.Contains("first\n", said, StringComparison.Ordinal);
        Assert.False(_secret.IsIn(said));
        var resource = session.Created.At("resources")[0];
        Assert.Equal(
            ["type", "id", "url", "mount_path", "checkout", "created_at", "updated_at"], resource.Names());
        Assert.Equal(
            ("github_repository", _host.Url("private"), "/workspace/private"),
            (resource.Text("type"), resource.Text("url"), resource.Text("mount_path")));
        Assert.Matches(
            @"\[https://git.test:\d+/team/private is checked out at /workspace/private: branch main at \w{7}\.\]$",
            await Told(session));
        await Sweep(session, said);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Its_skills_are_told_once_to_an_agent_that_can_read_them(bool canRead)
    {
        _host.Commit("public", "main",
            (".claude/skills/review/SKILL.md", "---\nname: review\ndescription: Reviews code.\n---\n\nRead it all.\n"),
            ("tools/.claude/skills/other/SKILL.md", "---\nname: other\ndescription: Not at the root.\n---\n"));
        var session = await Session(Resource("public", null), tools: canRead ? Tools
            : """[{"type":"agent_toolset_20260401","configs":[{"name":"read","enabled":false}]}]""");

        await session.Shell("true");
        var told = await Told(session);
        await session.Shell("true");

        const string Line = "- review (/workspace/public/.claude/skills/review/SKILL.md): Reviews code.";
        Assert.Equal(canRead, told.EndsWith("\n" + Line, StringComparison.Ordinal));
        Assert.DoesNotContain("other", told, StringComparison.Ordinal);
        Assert.DoesNotContain(Line, await Told(session), StringComparison.Ordinal);
        if (canRead)
        {
            Assert.Contains("Read it all.", await session.Reads(
                "/workspace/public/.claude/skills/review/SKILL.md"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_branch_or_a_commit_is_checked_out_where_it_is_wanted()
    {
        var first = _host.Git(_host.PathOf("private"), "rev-parse", "main");
        _host.Commit("private", "work/next", ("README.md", "next\n"));
        var orphan = _host.Commit("private", "gone", ("README.md", "gone\n"));
        _host.Git(_host.PathOf("private"), "branch", "-D", "gone");
        var more = "\"mount_path\":\"/workspace/{0}\",\"checkout\":{1}";

        var session = await Session(string.Join(
            ',',
            Resource("private", Token, Format(more, "a", """{"type":"branch","name":"work/next"}""")),
            Resource("private", Token, Format(more, "deep/b", $$"""{"type":"commit","sha":"{{first}}"}""")),
            Resource("private", Token, Format(more, "c", $$"""{"type":"commit","sha":"{{orphan}}"}""")),
            Resource("empty", Token)));
        var said = await session.Shell("""
            cd /workspace; cat a/README.md deep/b/README.md c/README.md; ls -A empty
            for d in a deep/b c empty; do git -C $d branch --show-current; done
            """);

        Assert.Equal("next\nfirst\ngone\n.git\nwork/next\nmain", said);
    }

    [Theory]
    [InlineData("private", null, "", "repository_authentication_error")]
    [InlineData("private", "another-token", "", "repository_authentication_error")]
    [InlineData("private", "limited-token", "", "repository_forbidden_error")]
    [InlineData("nothing", Token, "", "repository_not_found_error")]
    [InlineData("private", Token, ""","checkout":{"type":"branch","name":"nowhere"}""", "repository_checkout_error")]
    [InlineData("private", Token,
        ""","checkout":{"type":"commit","sha":"0123456789012345678901234567890123456789"}""",
        "repository_checkout_error")]
    public async Task What_stands_in_the_way_is_told_and_the_session_goes_on(
        string name, string? token, string more, string error)
    {
        _host.Tokens["limited-token"] = false;
        var session = await Session(Resource(name, token, more.TrimStart(',')));

        var said = await session.Shell("echo still here");
        var events = (await session.List()).EnumerateArray().ToList();

        var told = events.Single(@event => @event.Text("type") == "session.error").At("error");
        Assert.Equal(
            (error, "retrying", _host.Url(name)),
            (told.Text("type"), told.Text("retry_status.type"), told.Text("repository_url")));
        Assert.Equal("still here", said);
        Assert.Contains(
            $"{_host.Url(name)} is not at /workspace/{name}: ", await Told(session), StringComparison.Ordinal);
        Assert.False(_secret.IsIn($"{events}"));
    }

    [Fact]
    public async Task A_token_that_is_replaced_counts_at_once()
    {
        var session = await Session(Resource("private", "an-expired-token"));
        var path = $"{session.Path}/resources/{session.Created.Text("resources.0.id")}";
        await session.Shell("true");
        Assert.Contains("is not at /workspace/private", await Told(session), StringComparison.Ordinal);

        var updated = (await _server!.Post(path, new { authorization_token = Token })).Ok();
        await _server.Services.GetRequiredService<SandboxProvider>().Stop(session.Id, Cancelled);
        var said = await session.Shell("cat /workspace/private/README.md");

        Assert.Equal(session.Created.Text("resources.0.id"), updated.Text("id"));
        Assert.NotEqual(session.Created.Text("resources.0.updated_at"), updated.Text("updated_at"));
        Assert.Equal("first", said);
        Assert.Contains("is checked out at /workspace/private", await Told(session), StringComparison.Ordinal);
        Assert.False(updated.Has("authorization_token"));
        (await _server.Delete(path)).Refused(400, "A repository stays attached for the session's life.");
    }

    [Fact]
    public async Task The_next_session_fetches_only_what_is_new_and_only_what_its_own_token_may_read()
    {
        var first = await Session(Resource("private", Token));
        await first.Shell("true");
        _host.Got.Clear();
        var second = await Session(Resource("private", Token));
        await second.Shell("true");
        var unchanged = _host.Got.ToList();
        var third = await Session(Resource("private", "another-token"));

        Assert.DoesNotContain(unchanged, line => line.StartsWith("POST", StringComparison.Ordinal)
            && line.Contains("fetch", StringComparison.Ordinal));
        Assert.Contains("no such file", (await third.Shell("ls /workspace/private 2>&1")).ToLowerInvariant(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_working_copy_outlives_its_sandbox_and_is_in_a_fork()
    {
        var session = await Session(Resource("private", Token));
        await session.Shell("echo mine > /workspace/private/mine");
        await _server!.Services.GetRequiredService<SandboxProvider>().Stop(session.Id, Cancelled);

        Assert.Equal("mine", await session.Shell("cat /workspace/private/mine"));
        var forked = (await _server.Post($"{session.Path}/fork", "{}")).Ok();
        var fork = new TestSession(_server, forked, session.Model);
        var said = await fork.Shell("""
            cd /workspace/private && git add mine && git commit -qm mine && git push -q origin main && echo pushed
            """);

        Assert.NotEqual(session.Created.Text("resources.0.id"), forked.Text("resources.0.id"));
        Assert.EndsWith("pushed", said, StringComparison.Ordinal);
        Assert.Equal("mine", _host.Git(_host.PathOf("private"), "show", "main:mine"));
    }

    [Fact]
    public async Task The_example_program_makes_a_failing_test_pass_and_pushes_the_change()
    {
        const string Broken = "def slug(text):\n    return text.lower().replace(' ', '_')\n";
        const string Test = """
            import unittest, slugs

            class SlugTests(unittest.TestCase):
                def test_spaces(self):
                    self.assertEqual("a-b", slugs.slug("A b"))
            """;
        var first = _host.Commit("private", "main", ("slugs.py", Broken), ("test_slugs.py", Test));
        _server = await Start("bubblewrap");
        _server.Models.Of("coder")
            .Calls("bash", """{"command":"cd /workspace/private && python3 -B -m unittest -q"}""")
            .Calls("edit", """
                {"file_path":"/workspace/private/slugs.py","old_string":"'_'","new_string":"'-'"}
                """)
            .Calls("bash", """{"command":"python3 -B -m unittest -q && git checkout -qb agent/fix && git commit -qam """
                + """'Join by hyphens' && git push -q origin agent/fix && env"}""")
            .Says("The test passes now, and the branch is pushed.");

        var output = await ExampleProgram.Run(_server, "repository.mjs", new()
        {
            ["MODEL"] = "coder", ["REPOSITORY_URL"] = _host.Url("private"), ["REPOSITORY_TOKEN"] = Token,
        });

        Assert.Contains("FAILED (failures=1)", output, StringComparison.Ordinal);
        Assert.Contains("\nOK\n", output, StringComparison.Ordinal);
        Assert.Contains("TENON_GIT_TOKEN_0=tenon_placeholder_", output, StringComparison.Ordinal);
        Assert.False(_secret.IsIn(output));
        Assert.Equal(
            Broken.Replace('_', '-').Trim(), _host.Git(_host.PathOf("private"), "show", "agent/fix:slugs.py"));
        Assert.Equal(first, _host.Git(_host.PathOf("private"), "rev-parse", "agent/fix~1"));
    }

    [Fact]
    public async Task A_deleted_session_leaves_no_token()
    {
        var session = await Session(Resource("private", Token));
        var tokens = _server!.Services.GetRequiredService<RepositoryTokenStore>();
        Assert.Equal([Token], (await tokens.Of(session.Id, Cancelled)).Values);

        (await _server.Delete(session.Path)).Ok();

        Assert.Empty(await tokens.Of(session.Id, Cancelled));
    }

    /// <summary>All texts of the last result that the model got.</summary>
    private static async Task<string> Told(TestSession session) => string.Join('\n',
        (await session.List("?types[]=agent.tool_result")).EnumerateArray().Last().At("content").EnumerateArray()
            .Select(block => block.Text("text")));

    private static string Format(string text, params string[] words) =>
        words.Index().Aggregate(text, (filled, word) => filled.Replace($"{{{word.Index}}}", word.Item));

    private string Resource(string name, string? token, string more = "") => $$"""
        {"type":"github_repository","url":"{{_host.Url(name)}}"{{
            (token is null ? "" : $",\"authorization_token\":\"{token}\"")}}{{(more.Length > 0 ? "," + more : "")}}}
        """;

    private async Task<TestSession> Session(
        string resources, string driver = "bubblewrap", string tools = Tools)
    {
        _server ??= await Start(driver);
        return await _server.NewSession(tools, $"\"resources\":[{resources}]");
    }

    private async Task Sweep(TestSession session, string said)
    {
        var sandboxes = _server!.Services.GetRequiredService<SandboxProvider>();
        var audit = (await _server.Get($"{session.Path}/egress")).Ok().ToString();
        var pid = sandboxes.FolderOf(session.Id).ReadRecord()!.Pid;
        string[] inside = [.. ((string[])["tmp", "workspace", "home", "mnt", "etc", "run"])
            .Select(name => $"/proc/{pid}/root/{name}")];
        Assert.Contains("git.test", audit, StringComparison.Ordinal);
        Assert.False(_secret.IsIn(audit + said + await session.List()));
        Assert.Equal([], await _secret.InFiles(inside));
        await sandboxes.Stop(session.Id, Cancelled);
        Assert.Equal([], await _secret.InFiles(_server.DataDirectory, sandboxes.Root));
        Assert.DoesNotContain(_secret.Logged, _secret.IsIn);
        Assert.NotEmpty(_secret.Logged);
    }

    private Task<TestServer> Start(string driver) => TestServer.Start(services =>
    {
        var options = new EgressOptions
        {
            AllowedRanges = [IPNetwork.Parse("127.0.0.0/8")], ExtraRoots = [_authority.Root],
        };
        var sandbox = services.Select(service => service.ImplementationInstance).OfType<SandboxOptions>().Last();
        const long Mebibyte = 1024 * 1024;
        services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(_secret))
            .AddSingleton(options)
            .AddSingleton(new RepositoryOptions { Hosts = [HostPattern.Parse($"git.test:{_host.Port}")] })
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
