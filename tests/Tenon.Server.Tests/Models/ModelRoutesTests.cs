using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Models;

public sealed class ModelRoutesTests
{
    private static readonly ModelServices Both = new() { AnthropicApiKey = "a", OpenAiApiKey = "o" };

    [Theory]
    [InlineData("claude-opus-5", ModelRoutes.Anthropic)]
    [InlineData("gpt-5", ModelRoutes.OpenAi)]
    [InlineData("o3", ModelRoutes.OpenAi)]
    [InlineData("llama-3", ModelRoutes.OpenAi)]
    [InlineData("demo", ModelRoutes.Demo)]
    public void An_id_is_served_by_the_service_of_its_name(string model, string service)
    {
        Assert.Equal(service, Routes(Both).Find(model).Service);
    }

    [Theory]
    [InlineData("claude-opus-5")]
    [InlineData("gpt-5")]
    public async Task With_no_service_every_id_is_the_demo_model(string model)
    {
        var run = await ModelRun.Of(Routes(new ModelServices()), ModelRun.Ask("hi") with { Model = model });

        Assert.Contains("demo model", run.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_id_whose_service_is_not_set_up_says_which_variable_to_set()
    {
        var claude = await ModelRun.Of(
            Routes(Both with { AnthropicApiKey = null }), ModelRun.Ask("hi") with { Model = "claude-opus-5" });
        var gpt = await ModelRun.Of(
            Routes(Both with { OpenAiApiKey = null }), ModelRun.Ask("hi") with { Model = "gpt-5" });

        Assert.Equal(ModelFaultKind.Unauthorized, claude.Response.Fault!.Kind);
        Assert.Contains("set ANTHROPIC_API_KEY and", claude.Response.Fault.Message, StringComparison.Ordinal);
        Assert.Equal(ModelFaultKind.Unauthorized, gpt.Response.Fault!.Kind);
        Assert.Contains(
            "set OPENAI_API_KEY or OPENAI_BASE_URL and", gpt.Response.Fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_route_that_matches_wins_over_the_rule()
    {
        var fast = new ModelRoute("claude-*-fast", ModelRoutes.OpenAi, "qwen-3");
        var routes = Routes(Both with { Routes = [fast, new ModelRoute("claude-*", ModelRoutes.Demo)] });

        Assert.Equal(fast, routes.Find("claude-opus-fast"));
        Assert.Equal(ModelRoutes.Demo, routes.Find("claude-opus-5").Service);
        Assert.Equal(ModelRoutes.OpenAi, routes.Find("gpt-5").Service);
    }

    [Fact]
    public async Task Each_service_is_asked_by_its_own_protocol_and_by_the_routes_name_of_the_model()
    {
        await using var anthropic = new AnthropicService();
        await using var openAi = new OpenAiService();
        anthropic.Enqueue(Reply.Text("claude here"));
        openAi.Enqueue(Reply.Text("qwen here"));
        var routes = Routes(Both with
        {
            AnthropicBaseUrl = anthropic.Url,
            OpenAiBaseUrl = openAi.Url,
            Routes = [new ModelRoute("local", ModelRoutes.OpenAi, "qwen-3")],
        });

        var claude = await ModelRun.Of(routes, ModelRun.Ask("hi") with { Model = "claude-opus-5" });
        var local = await ModelRun.Of(routes, ModelRun.Ask("hi") with { Model = "local" });

        Assert.Equal(("claude here", "qwen here"), (claude.Text, local.Text));
        Assert.Equal("claude-opus-5", anthropic.Requests[0].Body.GetProperty("model").GetString());
        Assert.Equal("qwen-3", openAi.Requests[0].Body.GetProperty("model").GetString());
    }

    [Fact]
    public void A_route_to_a_service_that_does_not_exist_stops_the_start()
    {
        var exception = Assert.Throws<ArgumentException>(
            () => Routes(Both with { Routes = [new ModelRoute("*", "acme")] }));

        Assert.Contains("\"acme\"", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Services_are_read_from_the_variables_of_the_official_sdks()
    {
        var variables = new Dictionary<string, string?>
        {
            ["ANTHROPIC_API_KEY"] = "",
            ["ANTHROPIC_AUTH_TOKEN"] = "token",
            ["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1",
        };

        var services = ModelServices.Read(name => variables.GetValueOrDefault(name));

        Assert.Equal(
            new ModelServices
            {
                AnthropicAuthToken = "token",
                OpenAiBaseUrl = "http://127.0.0.1:1/v1",
                Routes = services.Routes,
            },
            services);
        Assert.True(services is { HasAnthropic: true, HasOpenAi: true });
    }

    [Fact]
    public void Printing_a_configuration_shows_no_secret()
    {
        var services = new ModelServices { AnthropicApiKey = "s3cret", OpenAiApiKey = "s3cret" };
        var printed = $"{services} {new AnthropicAccess("s3cret", "s3cret", null)} {new ChatAccess("s3cret", null)}";

        Assert.DoesNotContain("s3cret", printed, StringComparison.Ordinal);
    }

    private static ModelRoutes Routes(ModelServices services) =>
        new(services, ModelCatalog.Default, new FakeTimeProvider());
}
