using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Secrets that a session's environment lets go nowhere (api C.6, G).</summary>
public sealed class CredentialReachTests : IAsyncLifetime
{
    private const string Error = "credential_host_unreachable_error";

    private const string Message = "The secret of KEY_1 can go nowhere: the environment's networking allows none of "
        + "its hosts (api.example.com, 192.0.2.1). Add one to the environment's allowed_hosts.";

    private TestServer _server = null!;
    private string _vault = "";
    private int _variables;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.Start();
        _vault = (await _server.Post("/v1/vaults", """{"display_name":"v"}""")).Ok().Text("id");
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_secret_that_can_go_nowhere_is_told_of_once_also_after_a_restart()
    {
        var first = await Credential("\"api.example.com\",\"192.0.2.1\"");
        await Credential("\"api.example.com\",\"*.lamps.example\"");
        await Credential(null);
        var session = await Session("\"a.lamps.example\"");
        session.Model.Says("one").Says("two").Says("three").Says("four");

        var events = await session.Run(TestSession.Says("go"));
        var again = await session.Run(TestSession.Says("again"));
        await _server.Restart();
        var restarted = await session.Run(TestSession.Says("and again"));
        var second = await Credential("\"other.example.com\"");
        var later = await session.Run(TestSession.Says("once more"));

        var error = Assert.Single(events, @event => @event.Name == "session.error").Json;
        JsonAssert.Equal($$"""
            {"type":"{{Error}}","credential_id":"{{first}}","vault_id":"{{_vault}}",
             "retry_status":{"type":"retrying"},"message":"{{Message}}"}
            """, error.At("error"));
        Assert.Equal("end_turn", events[^1].Json.Text("stop_reason.type"));
        Assert.DoesNotContain(again.Concat(restarted), @event => @event.Name == "session.error");
        Assert.Equal(second, Assert.Single(later, @event => @event.Name == "session.error").Json.Text(
            "error.credential_id"));
    }

    [Fact]
    public async Task Of_a_crash_before_the_turns_end_nothing_is_told_twice()
    {
        await Credential("\"api.example.com\"");
        var session = await Session("\"a.lamps.example\"");
        session.Model.SaysAndHangs("half").Says("whole");
        await using (var stream = await session.Stream())
        {
            await session.Send(TestSession.Says("go"));
            await stream.Until("span.model_request_start");
        }

        await _server.Restart();
        await session.UntilIdle(TestContext.Current.CancellationToken);

        Assert.Single(await session.Types(), type => type == "session.error");
    }

    [Theory]
    [InlineData("\"api.example.com\"", "")]
    [InlineData("\"*.example.com\"", "")]
    [InlineData("\"other.example\"", ",\"allow_package_managers\":true", "pypi.org")]
    public async Task One_that_can_go_somewhere_is_not(string allowed, string more, string host = "api.example.com")
    {
        await Credential($"\"{host}\"");
        var session = await Session(allowed, more);
        session.Model.Says("one");

        Assert.DoesNotContain(await session.Run(TestSession.Says("go")), @event => @event.Name == "session.error");
    }

    private async Task<string> Credential(string? hosts)
    {
        var networking = hosts is null ? """{"type":"unrestricted"}"""
            : $$"""{"type":"limited","allowed_hosts":[{{hosts}}]}""";
        return (await _server.Post($"/v1/vaults/{_vault}/credentials", $$$"""
            {"auth":{"type":"environment_variable","secret_name":"KEY_{{{++_variables}}}",
             "secret_value":"a-secret-of-lamps","networking":{{{networking}}}} }
            """)).Ok().Text("id");
    }

    private async Task<TestSession> Session(string allowed, string more = "")
    {
        var environment = (await _server.Post("/v1/environments", $$$"""
            {"name":"e","config":{"type":"cloud",
             "networking":{"type":"limited","allowed_hosts":[{{{allowed}}}]{{{more}}}} } }
            """)).Ok().Text("id");
        var model = $"scripted-reach-{Guid.NewGuid():N}";
        var created = (await _server.Post("/v1/sessions", $$"""
            {"agent":"{{await _server.NewAgent(model)}}","environment_id":"{{environment}}","vault_ids":["{{_vault}}"]}
            """)).Ok();
        return new TestSession(_server, created, _server.Models.Of(model));
    }
}
