using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Environments;

/// <summary>Environments (api A.2, B.5).</summary>
public abstract class EnvironmentTests(TestServer server)
{
    private const string NoPackages =
        """{"type":"packages","apt":[],"cargo":[],"gem":[],"go":[],"npm":[],"pip":[]}""";

    [Fact]
    public async Task A_name_is_enough_and_may_be_used_twice()
    {
        var first = (await server.Post("/v1/environments", """{"name":"same"}""")).Ok();
        var second = (await server.Post("/v1/environments", """{"name":"same"}""")).Ok();

        Assert.NotEqual(first.Text("id"), second.Text("id"));
        Assert.Matches("^env_[1-9A-Za-z]{22}$", first.Text("id"));
        JsonAssert.Equal($$"""
            {"type":"environment","id":"{{first.Text("id")}}","name":"same","description":null,"scope":"organization",
             "config":{"type":"cloud","networking":{"type":"unrestricted"},"packages":{{NoPackages}} },"metadata":{},
             "created_at":"{{first.Text("created_at")}}","updated_at":"{{first.Text("created_at")}}","archived_at":null}
            """, first);
        JsonAssert.Equal(first.GetRawText(), (await server.Get(Path(first))).Ok());
    }

    [Fact]
    public async Task Limited_networking_is_answered_with_every_field()
    {
        var created = await Create(
            """{"type":"cloud","networking":{"type":"limited"},"packages":{"pip":[]}}""");

        JsonAssert.Equal($$"""
            {"type":"cloud","packages":{{NoPackages}},
             "networking":{"type":"limited","allowed_hosts":[],"allow_mcp_servers":false,
                           "allow_package_managers":false} }
            """, created.At("config"));
    }

    [Fact]
    public async Task A_self_hosted_environment_has_nothing_but_its_type()
    {
        var created = await Create("""{"type":"self_hosted"}""");

        JsonAssert.Equal("""{"type":"self_hosted"}""", created.At("config"));
    }

    [Theory]
    [InlineData("\"name\":\"\"", "name: must have 1 to 256 characters.")]
    [InlineData("\"scope\":\"world\"", "scope: 'world' is neither organization nor account.")]
    [InlineData("\"config\":{\"type\":\"moon\"}", "config.type: 'moon' is neither cloud nor self_hosted.")]
    [InlineData("\"config\":{}", "config.type: field required")]
    [InlineData(
        "\"config\":{\"type\":\"self_hosted\",\"packages\":{}}",
        "config: a self_hosted environment has no networking and no packages.")]
    [InlineData(
        "\"config\":{\"type\":\"cloud\",\"networking\":{\"type\":\"open\"}}",
        "config.networking.type: 'open' is neither unrestricted nor limited.")]
    [InlineData(
        "\"config\":{\"type\":\"cloud\",\"networking\":{\"type\":\"limited\"},\"packages\":{\"pip\":[\"numpy\"]}}",
        "config.packages: packages under limited networking need allow_package_managers.")]
    [InlineData(
        "\"config\":{\"type\":\"cloud\",\"packages\":{\"npm\":[null]}}", "config.packages.npm.0: null is not allowed")]
    [InlineData(
        "\"config\":{\"type\":\"cloud\",\"networking\":{\"type\":\"limited\",\"allowed_hosts\":[\"a.b\",null]}}",
        "config.networking.allowed_hosts.1: null is not allowed")]
    public async Task What_an_environment_may_not_be_is_refused_with_the_field(string fields, string message) =>
        (await server.Post("/v1/environments", $$"""{"name":"n",{{fields}}}""")).Refused(400, message);

    [Fact]
    public async Task An_update_keeps_what_it_leaves_out_also_inside_the_configuration()
    {
        var created = await Create("""
            {"type":"cloud","packages":{"apt":["jq"],"pip":["numpy"]},
             "networking":{"type":"limited","allowed_hosts":["example.com"],"allow_package_managers":true}}
            """);

        var updated = (await server.Post(Path(created), """
            {"config":{"networking":{"type":"limited","allow_mcp_servers":true},
                       "packages":{"pip":[],"npm":["left-pad"]}}}
            """)).Ok();

        JsonAssert.Equal("""
            {"type":"cloud",
             "networking":{"type":"limited","allowed_hosts":["example.com"],"allow_mcp_servers":true,
                           "allow_package_managers":true},
             "packages":{"type":"packages","apt":["jq"],"cargo":[],"gem":[],"go":[],"npm":["left-pad"],"pip":[]}}
            """, updated.At("config"));
        Assert.Equal("e", updated.Text("name"));
        JsonAssert.Equal(updated.GetRawText(), (await server.Get(Path(created))).Ok());
    }

    [Fact]
    public async Task Another_kind_of_networking_replaces_the_whole_of_it()
    {
        var created = await Create(
            """{"type":"cloud","networking":{"type":"limited","allowed_hosts":["example.com"]}}""");

        var open = (await server.Post(Path(created), """{"config":{"networking":{"type":"unrestricted"}}}""")).Ok();

        JsonAssert.Equal("""{"type":"unrestricted"}""", open.At("config.networking"));
    }

    [Fact]
    public async Task An_update_that_breaks_a_rule_together_with_what_is_stored_changes_nothing()
    {
        var created = await Create("""{"type":"cloud","packages":{"pip":["numpy"]}}""");

        (await server.Post(Path(created), """{"name":"x","config":{"networking":{"type":"limited"}}}""")).Refused(
            400, "config.packages: packages under limited networking need allow_package_managers.");

        JsonAssert.Equal(created.GetRawText(), (await server.Get(Path(created))).Ok());
    }

    [Fact]
    public async Task The_type_cannot_change()
    {
        var created = await Create("""{"type":"cloud"}""");

        (await server.Post(Path(created), """{"config":{"type":"self_hosted"}}""")).Refused(
            400, "config.type: an environment cannot change from cloud to self_hosted.", "invalid_config_type_change");
    }

    [Fact]
    public async Task Descriptions_keep_the_empty_string_and_metadata_drops_it()
    {
        var created = (await server.Post("/v1/environments", """
            {"name":"n","description":"d","metadata":{"a":"1","b":"1","c":"1"}}
            """)).Ok();

        var updated = (await server.Post(
            Path(created), """{"description":"","metadata":{"a":"","b":null,"d":"1"}}""")).Ok();
        var cleared = (await server.Post(Path(created), """{"description":null}""")).Ok();

        Assert.Equal("", updated.Text("description"));
        JsonAssert.Equal("""{"c":"1","d":"1"}""", updated.At("metadata"));
        Assert.Equal(JsonValueKind.Null, cleared.At("description").ValueKind);
        (await server.Post(Path(created), """{"name":null}""")).Refused(400, "name: cannot be cleared.");
    }

    [Fact]
    public async Task An_archived_environment_stays_readable_and_takes_no_change_and_can_be_deleted()
    {
        var created = await Create("""{"type":"cloud"}""");
        var path = Path(created);

        var archived = (await server.Post($"{path}/archive")).Ok();
        var again = (await server.Post($"{path}/archive")).Ok();

        Assert.Equal(JsonValueKind.String, archived.At("archived_at").ValueKind);
        JsonAssert.Equal(archived.GetRawText(), again);
        (await server.Post(path, """{"name":"x"}""")).Refused(400, "Environment ", "environment_archived");
        JsonAssert.Equal(
            $$"""{"id":"{{created.Text("id")}}","type":"environment_deleted"}""", (await server.Delete(path)).Ok());
        (await server.Get(path)).Refused(404, "Environment ", "environment_not_found");
        (await server.Delete(path)).Refused(404, "Environment ", "environment_not_found");
    }

    private async Task<JsonElement> Create(string config) =>
        (await server.Post("/v1/environments", $$"""{"name":"e","config":{{config}}}""")).Ok();

    private static string Path(JsonElement environment) => $"/v1/environments/{environment.Text("id")}";
}
