using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Models;

public sealed class AnthropicModelTests : ModelConformance, IAsyncDisposable
{
    // Every character that JSON might escape: a signature must come back as it came.
    private const string Signature = "EqQB+/==<&>'\"\u00e9\\n";

    private readonly AnthropicService service = new();

    protected override ScriptedService Script => service.Script;

    protected override string CutReason => "max_tokens";

    public ValueTask DisposeAsync() => service.DisposeAsync();

    protected override IModel ModelAt(string url) =>
        new AnthropicModel(new AnthropicAccess(Key, null, url), ModelCatalog.Default, Time);

    [Fact]
    public async Task Thinking_comes_back_with_the_next_request_as_it_came()
    {
        service.Enqueue(
            Reply.Thinking("Let me <see> & \"think\"…", Signature)
                .Then(Reply.Redacted("opaque+/=="))
                .Then(Reply.ToolUse("bash", new { zeta = "ls", alpha = 2 }, "toolu_1")),
            Reply.Text("done"));
        var request = ModelRun.Ask("hi", ModelRun.Tool("bash"));

        var first = await ModelRun.Of(Model, request);
        await ModelRun.Of(Model, request with
        {
            Messages =
            [
                .. request.Messages,
                new ModelMessage(ModelRole.Assistant, first.Response.Content),
                new ModelMessage(ModelRole.User, [new ModelToolResult("toolu_1", [ContentBlock.Of("a.txt")], false)]),
            ],
        });

        Assert.Equal([new ModelChunk.Thinking()], first.Chunks.OfType<ModelChunk.Thinking>());
        AssertJson(
            $$"""
            [
              {"type":"thinking","thinking":{{JsonSerializer.Serialize("Let me <see> & \"think\"…")}},
               "signature":{{JsonSerializer.Serialize(Signature)}}},
              {"type":"redacted_thinking","data":"opaque+/=="},
              {"type":"tool_use","id":"toolu_1","name":"bash","input":{"zeta":"ls","alpha":2} }
            ]
            """,
            service.Requests[1].Body.GetProperty("messages")[1].GetProperty("content"));
        AssertJson(
            """
            [{"type":"tool_result","tool_use_id":"toolu_1","is_error":false,
              "content":[{"type":"text","text":"a.txt"}],"cache_control":{"type":"ephemeral"}}]
            """,
            service.Requests[1].Body.GetProperty("messages")[2].GetProperty("content"));
    }

    [Fact]
    public async Task Thinking_that_nobody_signed_is_not_sent()
    {
        service.Enqueue(Reply.Text("done"));
        var said = new ModelMessage(ModelRole.Assistant, [new ModelThinking("hm", ""), new ModelText("yes")]);

        await ModelRun.Of(Model, ModelRun.Ask("hi") with { Messages = [ModelRun.User("a"), said, ModelRun.User("b")] });

        AssertJson(
            """[{"type":"text","text":"yes"}]""",
            service.Requests[0].Body.GetProperty("messages")[1].GetProperty("content"));
    }

    [Fact]
    public async Task The_cache_is_marked_after_tools_after_system_and_on_the_last_two_user_turns()
    {
        service.Enqueue(Reply.Text("done"));
        ModelMessage[] messages =
        [
            ModelRun.User("one"), Said("1"), ModelRun.User("two"), Said("2"),
            new(ModelRole.User, [new ModelText("three"), new ModelText("four")]),
        ];

        await ModelRun.Of(
            Model, ModelRun.Ask("hi", ModelRun.Tool("a"), ModelRun.Tool("b")) with { Messages = messages });

        Assert.Equal(
            ["tools[1]", "system[0]", "messages[2].content[0]", "messages[4].content[1]"],
            Breakpoints(service.Requests[0].Body));
    }

    [Fact]
    public async Task The_body_says_what_was_asked()
    {
        service.Enqueue(Reply.Text("done"));

        await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("bash")) with
        {
            Effort = "low",
            Speed = "fast",
            MaxOutputTokens = 1_000,
        });

        var (body, headers) = service.Requests[0];
        Assert.Equal(
            ("test-model", 1_000, "fast", true),
            (body.GetProperty("model").GetString(), body.GetProperty("max_tokens").GetInt32(),
                body.GetProperty("speed").GetString(), body.GetProperty("stream").GetBoolean()));
        AssertJson("""{"effort":"low"}""", body.GetProperty("output_config"));
        AssertJson(
            ModelRun.Tool("bash").InputSchema.GetRawText(), body.GetProperty("tools")[0].GetProperty("input_schema"));
        Assert.Equal(
            ($"Bearer {Key}", "fast-mode-2026-02-01"), (headers["authorization"].TrimEnd(), headers["anthropic-beta"]));
        Assert.False(headers.ContainsKey("accept-encoding"), "an answer that is compressed does not stream");
    }

    [Theory]
    [InlineData("claude-opus-4-6", true, true)]
    [InlineData("claude-haiku-4-5", false, false)]
    [InlineData("claude-of-tomorrow", false, true)]
    public async Task Thinking_and_effort_are_asked_for_where_the_model_takes_them(string id, bool thinks, bool tries)
    {
        service.Enqueue(Reply.Text("done"));

        await ModelRun.Of(Model, ModelRun.Ask("hi") with { Model = id, Effort = "high" });

        var body = service.Requests[0].Body;
        Assert.Equal(
            (thinks, tries), (body.TryGetProperty("thinking", out _), body.TryGetProperty("output_config", out _)));
    }

    [Fact]
    public async Task Images_and_documents_are_sent_in_messages_and_in_results()
    {
        service.Enqueue(Reply.Text("done"));
        var image = new ImageBlock { Source = new() { Type = "base64", MediaType = "image/png", Data = "AAAA" } };
        var linked = new ImageBlock { Source = new() { Type = "url", Url = "https://example.com/a.png" } };
        var text = new DocumentBlock
        {
            Source = new() { Type = "text", MediaType = "text/plain", Data = "words" },
            Title = "A title",
        };

        await ModelRun.Of(Model, ModelRun.Ask("hi") with
        {
            Messages =
            [
                new ModelMessage(ModelRole.User,
                [
                    new ModelToolResult("toolu_1", [image], true), new ModelMedia(linked), new ModelMedia(text),
                ]),
            ],
        });

        AssertJson(
            """
            [
              {"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[
                {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},
              {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
              {"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"},"title":"A title",
               "cache_control":{"type":"ephemeral"}}
            ]
            """,
            service.Requests[0].Body.GetProperty("messages")[0].GetProperty("content"));
    }

    [Fact]
    public async Task The_classes_of_the_cache_are_told_apart()
    {
        service.Enqueue(Reply.Text("hi") with { Usage = new ReplyUsage(1, 2, 3, CacheWrite5m: 4, CacheWrite1h: 5) });

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(
            new ModelUsage
            {
                InputTokens = 1, OutputTokens = 2, CacheReadTokens = 3, CacheWrite5mTokens = 4, CacheWrite1hTokens = 5,
            },
            run.Response.Usage);
    }

    [Theory]
    [InlineData("overloaded_error", ModelFaultKind.Overloaded)]
    [InlineData("rate_limit_error", ModelFaultKind.RateLimited)]
    [InlineData("api_error", ModelFaultKind.Unavailable)]
    [InlineData("invalid_request_error", ModelFaultKind.Rejected)]
    [InlineData("a_word_of_tomorrow", ModelFaultKind.Unavailable)]
    public async Task An_error_in_the_middle_of_the_stream_is_told_by_its_word(string type, ModelFaultKind kind)
    {
        service.Enqueue(Reply.Text("half") with { Failure = new ReplyError(0, type, "No {more}.") });

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(kind, run.Response.Fault!.Kind);
        Assert.EndsWith(": No {more}.", run.Response.Fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_account_is_billing_although_it_comes_as_a_bad_request()
    {
        service.Enqueue(Reply.Error(400, "invalid_request_error", "Your credit balance is too low to access the API."));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(ModelFaultKind.Billing, run.Response.Fault!.Kind);
    }

    [Fact]
    public async Task A_refusal_has_its_category()
    {
        service.Enqueue(Reply.Refusal("cyber", "It could do harm."));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(new ModelRefusal("cyber", "It could do harm."), run.Response.Refusal);
    }

    private static ModelMessage Said(string text) => new(ModelRole.Assistant, [new ModelText(text)]);

    private static void AssertJson(string expected, JsonElement actual) => Assert.Equal(
        JsonSerializer.Serialize(JsonElement.Parse(expected)), JsonSerializer.Serialize(actual));

    private static List<string> Breakpoints(JsonElement body)
    {
        var found = new List<string>();
        Mark("tools", body.GetProperty("tools"));
        Mark("system", body.GetProperty("system"));
        var index = 0;
        foreach (var message in body.GetProperty("messages").EnumerateArray())
        {
            Mark($"messages[{index++}].content", message.GetProperty("content"));
        }

        return found;

        void Mark(string name, JsonElement blocks) => found.AddRange(blocks.EnumerateArray()
            .Select((block, place) => (block, place))
            .Where(entry => entry.block.TryGetProperty("cache_control", out _))
            .Select(entry => $"{name}[{entry.place}]"));
    }
}
