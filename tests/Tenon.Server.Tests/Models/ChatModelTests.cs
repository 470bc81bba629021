using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Models;

public sealed class ChatModelTests : ModelConformance, IAsyncDisposable
{
    private readonly OpenAiService service = new();

    protected override ScriptedService Script => service.Script;

    protected override string CutReason => "length";

    public ValueTask DisposeAsync() => service.DisposeAsync();

    protected override IModel ModelAt(string url) => new ChatModel(new ChatAccess(Key, url + "/v1"), Time);

    [Fact]
    public async Task A_conversation_is_sent_as_chat_messages_without_thinking()
    {
        service.Enqueue(Reply.Text("done"));
        var image = new ImageBlock { Source = new() { Type = "base64", MediaType = "image/png", Data = "AAAA" } };

        await ModelRun.Of(Model, ModelRun.Ask("hi") with
        {
            Messages =
            [
                ModelRun.User("Look."),
                new ModelMessage(ModelRole.Assistant,
                [
                    new ModelThinking("hm", "sig"), new ModelText("I look."),
                    new ModelToolUse("call_1", "read", JsonElement.Parse("""{"zeta":"a","alpha":1}""")),
                    new ModelToolUse("call_2", "shot", JsonElement.Parse("{}")),
                ]),
                new ModelMessage(ModelRole.User,
                [
                    new ModelToolResult("call_1", [ContentBlock.Of("no such file")], true),
                    new ModelToolResult("call_2", [ContentBlock.Of("taken"), image], false),
                    new ModelText("Go on."),
                ]),
            ],
        });

        var messages = service.Requests[0].Body.GetProperty("messages").EnumerateArray().ToList();
        Assert.Equal(
            ["system", "user", "assistant", "tool", "tool", "user"],
            messages.Select(message => message.GetProperty("role").GetString()));
        Assert.Equal(
            [("call_1", "read", """{"zeta":"a","alpha":1}"""), ("call_2", "shot", "{}")],
            messages[2].GetProperty("tool_calls").EnumerateArray().Select(Call));
        Assert.DoesNotContain("hm", messages[2].GetRawText(), StringComparison.Ordinal);
        Assert.Equal(("call_1", "[error] no such file"), Result(messages[3]));
        Assert.Equal(("call_2", "taken\n[shown in the next message]"), Result(messages[4]));
        AssertJson(
            """
            [
              {"type":"text","text":"From the result of call call_2:"},
              {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},
              {"type":"text","text":"Go on."}
            ]
            """,
            messages[5].GetProperty("content"));
    }

    [Fact]
    public async Task A_tools_schema_is_sent_with_its_definitions()
    {
        service.Enqueue(Reply.Text("done"));

        await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("bash")));

        var function = service.Requests[0].Body.GetProperty("tools")[0].GetProperty("function");
        Assert.Equal("bash", function.GetProperty("name").GetString());
        Assert.Equal(
            "number",
            function.GetProperty("parameters").GetProperty("$defs").GetProperty("a").GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("gpt-5", "low", "low")]
    [InlineData("o3", "max", "high")]
    [InlineData("llama-3", "high", null)]
    public async Task An_effort_is_sent_to_models_that_reason(string id, string effort, string? sent)
    {
        service.Enqueue(Reply.Text("done"));

        await ModelRun.Of(Model, ModelRun.Ask("hi") with { Model = id, Effort = effort });

        var body = service.Requests[0].Body;
        Assert.Equal(sent, body.TryGetProperty("reasoning_effort", out var value) ? value.GetString() : null);
        Assert.Equal(id, body.GetProperty("model").GetString());
    }

    [Theory]
    [InlineData(32_000, null)]
    [InlineData(500, 500)]
    public async Task Only_a_limit_that_someone_chose_is_sent(int limit, int? sent)
    {
        service.Enqueue(Reply.Text("done"));

        await ModelRun.Of(Model, ModelRun.Ask("hi") with { MaxOutputTokens = limit });

        var body = service.Requests[0].Body;
        Assert.Equal(sent, body.TryGetProperty("max_completion_tokens", out var value) ? value.GetInt32() : null);
    }

    [Fact]
    public async Task An_empty_account_is_billing_although_it_comes_as_too_many_requests()
    {
        service.Enqueue(Reply.Error(429, "insufficient_quota", "You exceeded your current quota."));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(ModelFaultKind.Billing, run.Response.Fault!.Kind);
    }

    [Fact]
    public async Task An_answer_that_the_services_filter_stopped_is_a_refusal()
    {
        service.Enqueue(Reply.Refusal(null, null));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(new ModelRefusal("content_filter", null), run.Response.Refusal);
    }

    [Fact]
    public async Task A_document_that_the_service_cannot_take_is_rejected_with_a_reason()
    {
        var linked = new DocumentBlock { Source = new() { Type = "url", Url = "https://example.com/a.pdf" } };

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi") with
        {
            Messages = [new ModelMessage(ModelRole.User, [new ModelMedia(linked)])],
        });

        Assert.Equal(ModelFaultKind.Rejected, run.Response.Fault!.Kind);
        Assert.Empty(service.Requests);
    }

    private static (string?, string?, string) Call(JsonElement call)
    {
        var function = call.GetProperty("function");
        var arguments = JsonElement.Parse(function.GetProperty("arguments").GetString()!);
        return (call.GetProperty("id").GetString(), function.GetProperty("name").GetString(),
            JsonSerializer.Serialize(arguments));
    }

    private static (string?, string?) Result(JsonElement message) =>
        (message.GetProperty("tool_call_id").GetString(), message.GetProperty("content").GetString());

    private static void AssertJson(string expected, JsonElement actual) => Assert.Equal(
        JsonSerializer.Serialize(JsonElement.Parse(expected)), JsonSerializer.Serialize(actual));
}
