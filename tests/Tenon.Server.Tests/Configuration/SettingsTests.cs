using System.Collections;
using Tenon.Server.Configuration;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Configuration;

public sealed class SettingsTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Flags_win_over_variables_these_over_the_file_and_that_over_defaults()
    {
        var file = Write(
            """{"urls":"http://file","data":"file-data","sandbox":{"workspace_template":"file-template"}}""");

        var settings = Read(
            ["--config", file, "--urls=http://flag"], ("TENON_URLS", "http://variable"), (
                "TENON_DATA", "variable-data"));

        Assert.Equal(
            [
                ("urls", "http://flag", "flag --urls"),
                ("data", "variable-data", "variable TENON_DATA"),
                ("api_key", null, "default"),
                ("sandbox.workspace_template", "file-template", $"file {file}"),
                ("sandbox.allow_unsafe", "false", "default"),
            ],
            settings.Values.Take(5).Select(value => (value.Key, value.Value.Value, value.Value.Source)));
    }

    [Fact]
    public void Without_anything_the_defaults_are_in_force()
    {
        var settings = Read([]);

        Assert.Equal("http://127.0.0.1:4111", settings.Urls);
        Assert.Equal(Path.GetFullPath("data"), settings.DataDirectory);
        Assert.Null(settings.ApiKey);
        Assert.False(settings.AllowUnsafeSandbox);
        Assert.Equal(["default"], settings.Values.Values.Select(value => value.Source).Distinct());
    }

    [Fact]
    public void A_switch_needs_no_value_and_takes_one()
    {
        Assert.True(Read(["--allow-unsafe-sandbox", "--urls", "http://x"]).AllowUnsafeSandbox);
        Assert.False(Read(["--allow-unsafe-sandbox=false"]).AllowUnsafeSandbox);
        Assert.True(Read(["--config", Write("""{"sandbox":{"allow_unsafe":true}}""")]).AllowUnsafeSandbox);
    }

    [Fact]
    public void Authorities_are_read_from_a_file_that_must_have_some()
    {
        using var authority = new TestAuthority();
        var file = Write(authority.Root.ExportCertificatePem());

        Assert.Equal([authority.Root], Read(["--extra-roots", file]).Egress.ExtraRoots);
        foreach (var path in (string[])[file + ".none", Write("{}")])
        {
            var refused = Assert.Throws<SettingsException>(() => Read(["--extra-roots", path]));
            Assert.StartsWith("egress.extra_roots (flag --extra-roots): ", refused.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--port", "Unknown flag '--port'. Known: --urls --data ")]
    [InlineData("serve", "Unknown flag 'serve'.")]
    [InlineData("--urls", "The flag --urls needs a value.")]
    [InlineData("--postgres", "The flag --postgres needs a value.")]
    [InlineData("--postgres=", "postgres (flag --postgres): it is not a connection string of the form Host=…;")]
    [InlineData("--postgres=postgres://u:p@h/d", "postgres (flag --postgres): it is not a connection string")]
    public void An_unusable_flag_is_refused_by_name(string flag, string message) => Refused([flag], message);

    [Fact]
    public void An_unknown_variable_of_tenon_is_refused_by_name_and_others_are_left_alone()
    {
        Read([], ("PATH", "/bin"));

        var refusal = Assert.Throws<SettingsException>(() => Read([], ("TENON_URL", "http://x")));
        Assert.StartsWith(
            "Unknown variable 'TENON_URL'. Known: TENON_URLS ", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"url":"http://x"}""", ": unknown key 'url'. Known: urls, data, ")]
    [InlineData("""{"sandbox":{"idle":5}}""", ": unknown key 'sandbox.idle'. Known: ")]
    [InlineData("""{"models":{"routes":[{"pattern":"x"}]}}""",
        ": every entry of models.routes needs a 'pattern' and a 'service'.")]
    [InlineData("{", ": Expected depth to be zero")]
    [InlineData("[]", ": ")]
    [InlineData("""{"models":{"routes":{}}}""", ": ")]
    [InlineData("""{"models":{"routes":["x"]}}""", ": ")]
    [InlineData("""{"models":{"routes":[{"pattern":1,"service":"s"}]}}""", ": ")]
    public void An_unusable_file_is_refused_with_its_path_and_the_key(string json, string message)
    {
        var file = Write(json);

        Refused(["--config", file], file + message);
    }

    [Fact]
    public void A_file_that_is_asked_for_and_missing_is_refused() =>
        Refused(["--config", Path.Combine(_temp.Path, "none.json")], Path.Combine(_temp.Path, "none.json"));

    [Fact]
    public void A_file_may_have_comments_and_routes()
    {
        var file = Write("""
            {
              // models of our own
              "models": { "routes": [ { "pattern": "glm-*", "service": "openai", "model": "glm-5" }, ] },
            }
            """);

        var route = Assert.Single(Read(["--config", file]).ModelServices.Routes);

        Assert.Equal(("glm-*", "openai", "glm-5"), (route.Pattern, route.Service, route.Model));
    }

    [Fact]
    public void A_driver_and_a_range_of_uids_are_taken_from_the_settings()
    {
        var file = Write("""{"sandbox":{"oci_runtime":"/opt/crun","first_uid":100000,"uid_count":10}}""");

        var options = Read(["--config", file, "--driver", "oci"]).Sandbox;

        Assert.Equal(
            ("oci", "/opt/crun", 100_000, 10, 100_010),
            (options.Driver, options.OciRuntime, options.FirstUid, options.UidCount, options.SetupUid));
    }

    [Theory]
    [InlineData("sandbox.driver", "TENON_DRIVER", "docker", "there are bubblewrap and oci")]
    [InlineData("sandbox.oci_runtime", "TENON_OCI_RUNTIME", "bin/runc", "give a name, or a path from the root")]
    [InlineData("sandbox.first_uid", "TENON_FIRST_UID", "many", "give a number")]
    [InlineData("sandbox.first_uid", "TENON_FIRST_UID", "-1", "give a number")]
    [InlineData("sandbox.first_uid", "TENON_FIRST_UID", "1000", "the lowest is 10000; ")]
    [InlineData("sandbox.uid_count", "TENON_UID_COUNT", "0", "there are 1 to 2145483646 such uids")]
    [InlineData("sandbox.uid_count", "TENON_UID_COUNT", "2147483647", "there are 1 to 2145483646 such uids")]
    public void A_setting_that_no_sandbox_can_be_started_with_is_refused_by_name(
        string key, string variable, string value, string reason)
    {
        var refusal = Assert.Throws<SettingsException>(() => Read([], (variable, value)));

        Assert.StartsWith(
            $"{key} (variable {variable}): '{value}' cannot be used; {reason}", refusal.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_back_end_for_searches_is_taken_from_the_settings()
    {
        var none = Read([]).Search;
        var searxng = Read(["--search", "searxng"], ("TENON_SEARXNG_URL", "http://127.0.0.1:8888/sub")).Search;
        var brave = Read(["--search=brave"], ("BRAVE_API_KEY", "usual"));
        var tavily = Read([], ("TENON_SEARCH_BACKEND", "tavily"), ("TAVILY_API_KEY", "a"), ("TENON_TAVILY_KEY", "b"));
        var file = Write(
            $$$$"""{"search":{"backend":"local","local":{"folder":"{{{{_temp.Path}}}}","url":"http://docs/x"}}}""");
        var local = Read(["--config", file]).Search;

        Assert.Null(none.Backend);
        Assert.Equal("http://127.0.0.1:8888/sub", searxng.Url!.AbsoluteUri);
        Assert.Equal(("usual", "variable BRAVE_API_KEY", "https://api.search.brave.com/res/v1/web/search"),
            (brave.Search.Key, brave.Values["search.brave.key"].Source, brave.Search.Url!.AbsoluteUri));
        Assert.Equal(("b", "variable TENON_TAVILY_KEY"),
            (tavily.Search.Key, tavily.Values["search.tavily.key"].Source));
        Assert.Equal((_temp.Path, "http://docs/x/"), (local.Folder, local.FolderUrl!.AbsoluteUri));
        Assert.DoesNotContain("usual", brave.Search.ToString(), StringComparison.Ordinal);
        Assert.True(SettingKeys.All.Single(key => key.Name == "search.brave.key").IsSecret);
        Assert.True(SettingKeys.All.Single(key => key.Name == "search.tavily.key").IsSecret);
    }

    [Theory]
    [InlineData("google", "", "",
        "search.backend (flag --search): 'google' is not one of searxng, brave, tavily, local.")]
    [InlineData("searxng", "", "",
        "search.backend is searxng, which needs search.searxng.url (TENON_SEARXNG_URL).")]
    [InlineData("brave", "", "", "search.backend is brave, which needs search.brave.key (TENON_BRAVE_KEY).")]
    [InlineData("brave", "TENON_BRAVE_KEY", "two words",
        "search.backend is brave, which needs search.brave.key (TENON_BRAVE_KEY).")]
    [InlineData("tavily", "", "", "search.backend is tavily, which needs search.tavily.key (TENON_TAVILY_KEY).")]
    [InlineData("local", "", "", "search.backend is local, which needs search.local.folder (TENON_SEARCH_FOLDER).")]
    [InlineData("local", "TENON_SEARCH_FOLDER", "/nowhere/at/all",
        "search.local.folder (variable TENON_SEARCH_FOLDER): '/nowhere/at/all' is not a folder.")]
    [InlineData("searxng", "TENON_SEARXNG_URL", "search.local",
        "search.searxng.url (variable TENON_SEARXNG_URL): it is not an http or https URL without")]
    [InlineData("searxng", "TENON_SEARXNG_URL", "http://user:s3cret@host/",
        "search.searxng.url (variable TENON_SEARXNG_URL): it is not an http or https URL without")]
    public void A_back_end_that_cannot_be_asked_is_refused(
        string backend, string variable, string value, string message)
    {
        var refusal = Assert.Throws<SettingsException>(() => Read(
            ["--search", backend], variable.Length == 0 ? [] : [(variable, value)]));

        Assert.StartsWith(message, refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_are_not_in_the_text_of_the_settings()
    {
        var settings = Read(
            [], ("TENON_API_KEY", "s3cret-key"), ("ANTHROPIC_API_KEY", "s3cret-a"), ("OPENAI_API_KEY", "s3cret-o"),
            ("TENON_POSTGRES", "Host=db;Password=s3cret-p"));

        string[] texts =
        [
            settings.ToString(), settings.ModelServices.ToString(), settings.Values["api_key"].ToString(),
            settings.Values["postgres"].ToString(),
        ];

        Assert.All(texts, text => Assert.DoesNotContain("s3cret", text, StringComparison.Ordinal));
        Assert.True(SettingKeys.All.Single(key => key.Name == "api_key").IsSecret);
        Assert.True(SettingKeys.All.Single(key => key.Name == "postgres").IsSecret);
        Assert.Equal("s3cret-key", settings.ApiKey);
    }

    [Theory]
    [InlineData("Host=db;Password=abc;s3cret=1")]
    [InlineData("Host=db;Port=s3cret")]
    [InlineData("postgres://user:s3cret@db/tenon")]
    [InlineData("Host=db;Password='s3cret")]
    public void A_connection_string_that_cannot_be_read_is_refused_and_not_quoted(string text)
    {
        var refusal = Assert.Throws<SettingsException>(() => Read([], ("TENON_POSTGRES", text)));

        Assert.StartsWith(
            "postgres (variable TENON_POSTGRES): it is not a connection string", refusal.Message,
            StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", refusal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Files_are_in_the_folder_unless_S3_is_named_with_its_credentials()
    {
        Assert.Null(Read([]).Files.S3);
        Assert.Equal(500L << 20, Read([]).Files.BytesMax);
        (string, string)[] credentials = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
        string[] s3 = ["--files-store", "s3", "--s3-bucket", "b", "--s3-endpoint", "http://127.0.0.1:9000"];

        var files = Read([.. s3, "--files-max-mb", "7"], [.. credentials, ("AWS_SESSION_TOKEN", "s3cret-token")]).Files;

        Assert.Equal(7L << 20, files.BytesMax);
        Assert.Equal(("b", "tenon/", "us-east-1", "s3cret", "s3cret-token"),
            (files.S3!.Bucket, files.S3.Prefix, files.S3.Region, files.S3.SecretAccessKey, files.S3.SessionToken));
        Assert.DoesNotContain("s3cret", files.ToString(), StringComparison.Ordinal);
        Assert.Equal("eu-west-1", Read(s3[..4], [.. credentials, ("AWS_REGION", "eu-west-1")]).Files.S3!.Region);
        Refused(s3, "files.store is s3, and the variable AWS_ACCESS_KEY_ID is not set.");
        Refused(["--files-store", "tape"], "files.store (flag --files-store): 'tape' cannot be used; there are folder");
        Refused(["--files-store", "s3"], "files.s3.bucket (default): '' cannot be used; with files.store s3, name a");
        Refused([.. s3[..4], "--s3-endpoint", "http://u:s3cret@h"],
            "files.s3.endpoint (flag --s3-endpoint): give a URL with http or https, and without credentials.");
        Refused(["--files-max-mb", "0"], "files.max_mb (flag --files-max-mb) must be a whole number from 1 to");
    }

    private static void Refused(string[] flags, string message) =>
        Assert.StartsWith(
            message, Assert.Throws<SettingsException>(() => Read(flags)).Message, StringComparison.Ordinal);

    private static Settings Read(string[] flags, params (string Name, string Value)[] variables) =>
        SettingsReader.Read(flags, new Hashtable(variables.ToDictionary(pair => pair.Name, pair => pair.Value)));

    private string Write(string json)
    {
        var path = Path.Combine(_temp.Path, "settings.json");
        File.WriteAllText(path, json);
        return path;
    }
}
