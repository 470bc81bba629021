using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Models;

/// <summary>What every model that is reached over HTTP must do, whatever its provider.</summary>
public abstract class ModelConformance
{
    protected const string Key = "sk-test-0123456789abcdef";

    protected FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    protected IModel Model => ModelAt(Script.Url);

    protected abstract ScriptedService Script { get; }

    protected abstract IModel ModelAt(string url);

    private static CancellationToken Patience => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Text_streams_in_fragments_and_ends_in_the_whole_answer()
    {
        Script.Enqueue(Reply.Text("Hel", "lo, ", "wörld ✓"));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(ModelStop.EndTurn, run.Response.Stop);
        Assert.Equal("Hello, wörld ✓", run.Text);
        Assert.Equal(["Hel", "lo, ", "wörld ✓"], run.Chunks.OfType<ModelChunk.Text>().Select(chunk => chunk.Fragment));
    }

    [Fact]
    public async Task A_call_arrives_whole_with_the_keys_in_the_models_order()
    {
        Script.Enqueue(Reply.ToolUse("bash", new { zeta = "ls -la", alpha = 1, mid = new[] { "ü" } }, "id_1"));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("bash")));

        var call = Assert.Single(run.Calls);
        Assert.Equal(ModelStop.ToolUse, run.Response.Stop);
        Assert.Equal(("id_1", "bash"), (call.Id, call.Name));
        Assert.Equal(["zeta", "alpha", "mid"], call.Input.EnumerateObject().Select(property => property.Name));
        Assert.Equal("ü", call.Input.GetProperty("mid")[0].GetString());
    }

    [Fact]
    public async Task Parallel_calls_keep_their_order_and_their_inputs()
    {
        Script.Enqueue(Reply.Text("I look.")
            .Then(Reply.ToolUse("read", new { file = "a" }, "id_a"))
            .Then(Reply.ToolUse("read", new { file = "b" }, "id_b"))
            .Then(Reply.ToolUse("now", new { }, "id_c")));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("read"), ModelRun.Tool("now")));

        Assert.Equal("I look.", run.Text);
        Assert.Equal(
            [("id_a", """{"file":"a"}"""), ("id_b", """{"file":"b"}"""), ("id_c", "{}")],
            run.Calls.Select(call => (call.Id, JsonSerializer.Serialize(call.Input))));
    }

    [Fact]
    public async Task A_call_that_the_token_limit_cut_is_dropped()
    {
        Script.Enqueue(Reply.Text("I look.").Then(Reply.RawToolUse("read", """{"file":"a""")) with
        {
            StopReason = CutReason,
        });

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("read")));

        Assert.Equal(ModelStop.MaxTokens, run.Response.Stop);
        Assert.Equal([new ModelText("I look.")], run.Response.Content);
    }

    [Fact]
    public async Task Usage_is_counted_by_cache_class()
    {
        Script.Enqueue(Reply.Text("hi") with { Usage = new ReplyUsage(Input: 100, Output: 20, CacheRead: 300) });

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(
            new ModelUsage { InputTokens = 100, OutputTokens = 20, CacheReadTokens = 300 }, run.Response.Usage);
    }

    [Fact]
    public async Task A_refusal_is_told_and_nothing_of_it_runs()
    {
        Script.Enqueue(Reply.Text("I ").Then(Reply.Refusal("cyber", "It could do harm.")));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(ModelStop.Refusal, run.Response.Stop);
        Assert.Equal("It could do harm.", run.Response.Refusal!.Explanation);
        Assert.Empty(run.Calls);
    }

    [Theory]
    [InlineData(400, ModelFaultKind.Rejected)]
    [InlineData(401, ModelFaultKind.Unauthorized)]
    [InlineData(402, ModelFaultKind.Billing)]
    [InlineData(403, ModelFaultKind.Unauthorized)]
    [InlineData(404, ModelFaultKind.Rejected)]
    [InlineData(408, ModelFaultKind.Unavailable)]
    [InlineData(409, ModelFaultKind.Unavailable)]
    [InlineData(413, ModelFaultKind.Rejected)]
    [InlineData(422, ModelFaultKind.Rejected)]
    [InlineData(429, ModelFaultKind.RateLimited)]
    [InlineData(500, ModelFaultKind.Unavailable)]
    [InlineData(503, ModelFaultKind.Unavailable)]
    [InlineData(529, ModelFaultKind.Overloaded)]
    public async Task An_error_is_mapped_and_asked_once_only(int status, ModelFaultKind kind)
    {
        Script.Enqueue(Reply.Error(status, "some_error", "It went wrong."));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(kind, run.Response.Fault!.Kind);
        Assert.EndsWith($"answered {status}: It went wrong.", run.Response.Fault.Message, StringComparison.Ordinal);
        Assert.Null(run.Response.Fault.RetryAfter);
        Assert.Single(Script.Requests);
    }

    [Theory]
    [InlineData("retry-after", "7", 7_000)]
    [InlineData("retry-after-ms", "250", 250)]
    [InlineData("retry-after", "Fri, 02 Jan 2026 03:04:35 GMT", 30_000)]
    [InlineData("retry-after", "Fri, 02 Jan 2026 03:00:00 GMT", 0)]
    public async Task The_time_that_the_service_asks_to_wait_is_read(string header, string value, int milliseconds)
    {
        Script.Enqueue(Reply.Error(429, "rate_limit_error").WithHeader(header, value));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.Equal(ModelFaultKind.RateLimited, run.Response.Fault!.Kind);
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), run.Response.Fault.RetryAfter);
    }

    [Fact]
    public async Task A_key_in_the_services_message_is_not_passed_on()
    {
        Script.Enqueue(Reply.Error(401, "invalid_api_key", $"Incorrect API key provided: {Key} or sk-te*****cdef."));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi"));

        Assert.EndsWith(
            "answered 401: Incorrect API key provided: [key] or [key]",
            run.Response.Fault!.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_is_not_there_is_unavailable()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();

        var run = await ModelRun.Of(ModelAt($"http://127.0.0.1:{port}"), ModelRun.Ask("hi"));

        Assert.Equal(ModelFaultKind.Unavailable, run.Response.Fault!.Kind);
        Assert.EndsWith("could not be reached.", run.Response.Fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ReplyEnding.Cut)]
    [InlineData(ReplyEnding.Unfinished)]
    public async Task A_stream_cut_in_the_middle_is_a_fault_and_not_half_an_answer(ReplyEnding ending)
    {
        Script.Enqueue(Reply.Text("half an ").Then(Reply.ToolUse("read", new { file = "a" })) with { Ending = ending });

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("read")));

        Assert.Equal(ModelFaultKind.Unavailable, run.Response.Fault!.Kind);
        Assert.Contains("before the answer was complete", run.Response.Fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tools_input_that_is_not_json_is_a_fault()
    {
        Script.Enqueue(Reply.RawToolUse("read", """{"file": oops}"""));

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("read")));

        Assert.Equal(ModelFaultKind.Unavailable, run.Response.Fault!.Kind);
    }

    [Fact]
    public async Task A_stream_that_falls_silent_is_cut_after_a_minute()
    {
        Script.Enqueue(Reply.Hang("I think"));
        await using var chunks = Model.Stream(ModelRun.Ask("hi"), Patience).GetAsyncEnumerator(Patience);
        await chunks.MoveNextAsync();
        Assert.Equal(new ModelChunk.Text(0, "I think"), chunks.Current);

        var next = chunks.MoveNextAsync();
        Time.Advance(ServiceCall.SilenceMax - TimeSpan.FromSeconds(1));
        Assert.False(next.IsCompleted);
        Time.Advance(TimeSpan.FromSeconds(1));

        Assert.True(await next);
        var fault = Assert.IsType<ModelChunk.Finished>(chunks.Current).Response.Fault!;
        Assert.Equal(ModelFaultKind.Unavailable, fault.Kind);
        Assert.EndsWith("sent nothing for 60 seconds.", fault.Message, StringComparison.Ordinal);
        Assert.False(await chunks.MoveNextAsync());
    }

    [Fact]
    public async Task A_slow_stream_lives_as_long_as_something_comes_within_the_minute()
    {
        TaskCompletionSource second = new(), third = new();
        Script.Enqueue(Reply.Text("first", "second", "third") with
        {
            Gate = frame => frame.Contains("second", StringComparison.Ordinal) ? second.Task
                : frame.Contains("third", StringComparison.Ordinal) ? third.Task
                : Task.CompletedTask,
        });
        await using var chunks = Model.Stream(ModelRun.Ask("hi"), Patience).GetAsyncEnumerator(Patience);

        await chunks.MoveNextAsync();
        Time.Advance(ServiceCall.SilenceMax - TimeSpan.FromSeconds(1));
        second.SetResult();
        await chunks.MoveNextAsync();
        Time.Advance(ServiceCall.SilenceMax - TimeSpan.FromSeconds(1));
        third.SetResult();
        await chunks.MoveNextAsync();

        Assert.Equal(new ModelChunk.Text(0, "third"), chunks.Current);
        await chunks.MoveNextAsync();
        Assert.Equal(ModelStop.EndTurn, Assert.IsType<ModelChunk.Finished>(chunks.Current).Response.Stop);
    }

    [Fact]
    public async Task A_service_that_never_begins_to_answer_is_cut_after_a_minute()
    {
        Script.Enqueue(Reply.Hang());
        var run = ModelRun.Of(Model, ModelRun.Ask("hi"));
        await Script.Received(Patience);

        Time.Advance(ServiceCall.SilenceMax);

        Assert.Equal(ModelFaultKind.Unavailable, (await run).Response.Fault!.Kind);
    }

    [Theory]
    [InlineData]
    [InlineData("I think")]
    public async Task Cancellation_ends_a_hanging_stream_at_once(params string[] before)
    {
        Script.Enqueue(Reply.Hang(before));
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(Patience);
        await using var chunks = Model.Stream(ModelRun.Ask("hi"), cancelled.Token).GetAsyncEnumerator(cancelled.Token);
        var next = chunks.MoveNextAsync();
        await Script.Received(Patience);
        if (before.Length > 0)
        {
            await next;
            next = chunks.MoveNextAsync();
        }

        await cancelled.CancelAsync();

        var exception = await Assert.ThrowsAsync<OperationCanceledException>(async () => await next);
        Assert.Equal(cancelled.Token, exception.CancellationToken);
    }

    [Fact]
    public async Task A_request_that_is_cancelled_before_it_begins_is_never_sent()
    {
        var token = new CancellationToken(canceled: true);

        await Assert.ThrowsAsync<OperationCanceledException>(
            async () => await Model.Stream(ModelRun.Ask("hi"), token).GetAsyncEnumerator(token).MoveNextAsync());

        Assert.Empty(Script.Requests);
    }

    [Fact]
    public async Task A_file_source_is_rejected_with_a_reason_and_not_sent()
    {
        var image = new ImageBlock { Source = new MediaSource { Type = "file", FileId = "file_1" } };
        var message = new ModelMessage(ModelRole.User, [new ModelMedia(image)]);

        var run = await ModelRun.Of(Model, ModelRun.Ask("hi") with { Messages = [message] });

        Assert.Equal(ModelFaultKind.Rejected, run.Response.Fault!.Kind);
        Assert.Contains("\"file\"", run.Response.Fault.Message, StringComparison.Ordinal);
        Assert.Empty(Script.Requests);
    }

    [Fact]
    public async Task The_same_request_is_sent_as_the_same_bytes()
    {
        Script.Enqueue(Reply.Text("a"), Reply.Text("b"));

        await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("read")));
        await ModelRun.Of(Model, ModelRun.Ask("hi", ModelRun.Tool("read")));

        Assert.Equal(Script.Requests[0].Body.GetRawText(), Script.Requests[1].Body.GetRawText());
    }

    /// <summary>The provider's word for an answer cut at its token limit.</summary>
    protected abstract string CutReason { get; }
}
