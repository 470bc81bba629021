using System.Runtime.CompilerServices;
using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

public sealed class CompactionTests
{
    private const int Window = 200_000;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_thousand_rounds_stay_inside_the_window()
    {
        var worker = new Worker { Rounds = 2_000 };

        // A tool that is switched off answers at once, so the rounds cost no sandbox.
        var off = new AgentToolset { DefaultConfig = new ToolDefaults { Enabled = false } };
        await using var world = new TurnWorld(worker, off) { Limits = new Limits { StaleRoundsMax = 10_000 } };
        await world.Send("work for long");

        await world.Run(Token);

        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Equal(2_000, world.Events<AgentToolResult>().Count);
        Assert.InRange(worker.TokensMax, Window / 2, Window);
        Assert.InRange(world.Events<AgentThreadContextCompacted>().Count, 2, 10);
    }

    [Fact]
    public async Task A_summary_is_asked_for_with_the_whole_of_the_last_request_and_replaces_what_is_old()
    {
        await using var world = new TurnWorld();
        world.Model
            .Answers(Large(new ModelText("a long answer"), Window))
            .Says("the summary")
            .Says("going on");
        await world.Send("first words");
        await world.Run(Token);
        await world.Send("second words");
        await world.Run(Token);

        var requests = world.Model.Requests.ToList();
        Assert.Equal("first words", Words(requests[1].Messages[0]));
        Assert.Contains("second words", Words(requests[1].Messages[^1]));
        Assert.Contains("the summary", Words(requests[2].Messages[0]));
        Assert.Equal("a long answer", Words(requests[2].Messages[1]));
        Assert.Equal("second words", Words(requests[2].Messages[2]));
        Assert.Equal(
            [
                "span.model_request_start", "span.model_request_end", "agent.thread_context_compacted",
                "span.model_request_start", "agent.message", "span.model_request_end",
            ],
            world.Types.SkipWhile(type => type != "session.status_idle").Skip(4).Take(6));
    }

    [Fact]
    public async Task A_conversation_that_does_not_get_shorter_is_given_up_after_a_few_tries()
    {
        await using var world = new TurnWorld();
        world.Model.Answers(Large(new ModelText("large"), Window));
        for (var i = 0; i < 5; i++)
        {
            world.Model
                .Says("the summary")
                .Answers(Large(new ModelToolUse($"c{i}", "glob", JsonElement.Parse("""{"pattern":"*"}""")), Window));
        }

        await world.Send("first");
        await world.Run(Token);
        await world.Send("second");
        await world.Run(Token);

        Assert.Equal("compaction_limit_reached_error", world.Events<SessionError>().Single().Error.Type);
        Assert.Equal(3, world.Events<AgentThreadContextCompacted>().Count);
    }

    [Fact]
    public async Task A_new_owner_knows_the_short_conversation()
    {
        await using var world = new TurnWorld();
        world.Model.Answers(Large(new ModelText("a long answer"), Window)).Says("the summary").Says("going on");
        await world.Send("first words");
        await world.Run(Token);
        await world.Send("second words");
        await world.Run(Token);
        var before = JsonSerializer.Serialize(world.Log.History.Messages);

        world.Crash();

        Assert.Equal(before, JsonSerializer.Serialize(world.Log.History.Messages));
    }

    [Fact]
    public async Task A_picture_counts_as_a_picture_and_is_there_when_the_conversation_is_summarised()
    {
        var png = Convert.ToBase64String(MediaSamples.PngWith(300_000));
        await using var world = new TurnWorld();
        world.Model
            .Calls("bash", JsonSerializer.Serialize(new
            {
                command = $"echo {Convert.ToBase64String(MediaSamples.Png)} | base64 -d > a.png",
            }))
            .Calls("read", """{"file_path":"a.png"}""")
            .Answers(Large(new ModelText("seen"), Window))
            .Says("the summary")
            .Says("going on");
        await world.Send("look");
        await world.Run(Token);
        await world.Send("and now?");
        await world.Run(Token);

        var summarised = world.Model.Requests.ToList()[3].Messages.SelectMany(message => message.Content);
        Assert.Single(summarised.OfType<ModelToolResult>().SelectMany(result => result.Content).OfType<ImageBlock>());
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>()[^1].StopReason.Type);
        Assert.Equal(1_600, Prompt.EstimateTokens(new ModelMessage(ModelRole.User,
        [
            new ModelMedia(new ImageBlock
            {
                Source = new MediaSource { Type = "base64", MediaType = "image/png", Data = png },
            }),
        ])));
    }

    private static string Words(ModelMessage message) =>
        string.Concat(message.Content.OfType<ModelText>().Select(text => text.Text));

    private static ModelResponse Large(ModelContent content, long tokens) => new()
    {
        Stop = content is ModelToolUse ? ModelStop.ToolUse : ModelStop.EndTurn,
        Content = [content],
        Usage = new ModelUsage { InputTokens = tokens },
    };

    /// <summary>A model that calls a tool for so many rounds, counts its tokens, and summarises on request.</summary>
    private sealed class Worker : IModel
    {
        public required int Rounds { get; init; }

        public long TokensMax { get; private set; }

        private int _done;

        public async IAsyncEnumerable<ModelChunk> Stream(
            ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.Yield();
            var tokens = request.Messages.Sum(message => (long)Prompt.EstimateTokens(message));
            TokensMax = Math.Max(TokensMax, tokens);
            var asksForSummary = Words(request.Messages[^1]).Contains("about to be shortened");
            ModelContent content = asksForSummary ? new ModelText("a summary")
                : _done++ < Rounds ? new ModelToolUse($"call_{_done}", "bash", JsonElement.Parse(
                    $$"""{"command":"{{new string('x', 2_000)}}"}"""))
                : new ModelText("done");
            yield return new ModelChunk.Finished(Large(content, tokens));
        }
    }
}
