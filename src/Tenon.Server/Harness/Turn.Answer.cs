using Tenon.Server.Models;
using Tenon.Server.Tools;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>Steps 4 and 5: an answer as it is logged, with the permission of each of its calls.</content>
public sealed partial class Turn
{
    /// <summary>
    /// The answer as it is logged: what the model said first, then what clients see of it, all in one append.
    /// </summary>
    private List<object> Answer(
        string startId, ModelResponse response, MessagePreview preview, Verdicts verdicts)
    {
        var refused = response.Stop == ModelStop.Refusal;
        var content = refused ? [] : response.Content;
        var usage = response.Usage + verdicts.Usage;
        var costUsd = log.Prices.RequestUsd(Agent.Model with { Id = AskedModel }, usage);
        var uses = content.OfType<ModelToolUse>().ToList();
        var callIds = uses.ConvertAll(_ => log.NextId());
        var entries = new List<object>
        {
            new ModelAnswer
            {
                Model = AskedModel,
                Content = content,
                CallIds = callIds,
                PlatformCallIds =
                    [.. uses.Zip(callIds).Where(pair => IsPlatform(pair.First)).Select(pair => pair.Second)],
                Usage = usage,
                CostUsd = costUsd ?? 0,
                IsUnpriced = costUsd is null,
            },
        };
        if (response.Content.Any(block => block is ModelThinking or ModelRedactedThinking))
        {
            entries.Add(new AgentThinking { Id = preview.ThinkingId });
        }

        if (response.Content.OfType<ModelText>().Where(text => text.Text.Length > 0).ToList() is { Count: > 0 } said)
        {
            entries.Add(new AgentMessage
            {
                Id = preview.MessageId,
                Content = said.ConvertAll(text => ContentBlock.Of(text.Text)),
            });
        }

        entries.AddRange(uses.Zip(callIds).Where(pair => !IsPlatform(pair.First))
            .Select(pair => Called(ToEvent(pair.First, pair.Second, verdicts))));
        entries.Add(RequestEnd(Agent, startId, isError: false, response.Usage));
        return entries;
    }

    /// <summary>Asks the judge about every call under <c>auto</c>. It sees what the model saw.</summary>
    private async Task<Verdicts> JudgeCalls(
        ModelRequest request, ModelResponse response, CancellationToken cancellationToken)
    {
        var verdicts = new Dictionary<string, string>();
        var usage = new ModelUsage();
        foreach (var use in response.Content.OfType<ModelToolUse>().Where(use =>
            History.Mcp.Find(use.Name) is { } tool
                ? Permission.IsJudged(Agent.Tools, tool) : Permission.IsJudged(Agent.Tools, use.Name)))
        {
            (verdicts[use.Id], var used) = await Judge.Ask(model, request, use, cancellationToken);
            usage += used;
        }

        return new Verdicts(verdicts, usage);
    }

    /// <summary>What the client must answer, its own stream shows too.</summary>
    private object Called(SessionEvent call) => call switch
    {
        AgentCustomToolUse => new Shown(
            call, seen => (AgentCustomToolUse)seen with { SessionThreadId = log.ThreadId }),
        AgentMcpToolUse { EvaluatedPermission: "ask" } => new Shown(
            call, seen => (AgentMcpToolUse)seen with { SessionThreadId = log.ThreadId }),
        AgentToolUse use when use.EvaluatedPermission == "ask"
            || (History.Session.IsSelfHosted && BuiltinTools.IsSandboxed(use.Name)) => new Shown(
            call, seen => (AgentToolUse)seen with { SessionThreadId = log.ThreadId }),
        _ => call,
    };

    private SessionEvent ToEvent(ModelToolUse use, string id, Verdicts verdicts)
    {
        if (Agent.Tools.OfType<CustomTool>().Any(tool => tool.Name == use.Name))
        {
            return new AgentCustomToolUse { Id = id, Name = use.Name, Input = use.Input };
        }

        if (History.Mcp.Find(use.Name) is { } mcp)
        {
            var judged = Permission.Of(Agent.Tools, mcp, verdicts.Of(use.Id));
            return new AgentMcpToolUse
            {
                Id = id,
                McpServerName = mcp.Server,
                Name = mcp.Name,
                Input = use.Input,
                EvaluatedPermission = judged.Verdict,
                Evaluation = judged.Evaluation,
            };
        }

        var permission = Permission.Of(Agent.Tools, use.Name, verdicts.Of(use.Id));
        return new AgentToolUse
        {
            Id = id,
            Name = use.Name,
            Input = use.Input,
            EvaluatedPermission = permission.Verdict,
            Evaluation = permission.Evaluation,
        };
    }
}
