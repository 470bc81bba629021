using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Sessions;
using Tenon.Wire;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// Agents that work together: a coordinator gives two of them work, starts a workflow run of two more and asks an
/// advisor, then waits until it has heard of all. Each worker runs one command and reports. All of them know from their
/// conversation alone what comes next.
/// </summary>
internal static class SimulatedTeam
{
    /// <summary>What the workers are given, each once.</summary>
    public static readonly IReadOnlyList<string> Tasks = ["task-a", "task-b", "task-c", "task-d"];

    private const string Coordinator = "coordinator";
    private const string Worker = "worker";
    private const string Advisor = "advisor";

    private const string Plan =
        """
        const found = phase('look', () => waitAll([startAgent('worker', 'task-c'), startAgent('worker', 'task-d')]));
        return 'plan of ' + found.join(' and ');
        """;

    public static SessionDefinition Definition { get; } = new()
    {
        Agent = Agent(Coordinator) with { Multiagent = Roster() },
    };

    /// <summary>What the coordinator must have heard, each once.</summary>
    public static IReadOnlyList<string> News =>
        ["report of task-a", "report of task-b", "plan of report of task-c and report of task-d", "advice"];

    public static ModelResponse Answer(ModelRequest request)
    {
        var texts = Texts(request).ToList();
        return request.Model switch
        {
            Advisor => Says("advice"),
            Worker => Work(texts),
            _ => Coordinate(texts),
        };
    }

    private static ModelResponse Work(List<string> texts)
    {
        var task = Tasks.Single(task => texts.Any(text => text.Contains(task, StringComparison.Ordinal)));
        return texts.Any(text => text == $"done-{task}") ? Says($"report of {task}")
            : Calls(new ModelToolUse($"done-{task}", "bash", Json(new { command = task })));
    }

    private static ModelResponse Coordinate(List<string> texts)
    {
        if (!texts.Contains("give-a"))
        {
            return Calls(
                new ModelToolUse("give-a", "send_to_agent", Json(new { agent = Worker, message = "task-a" })),
                new ModelToolUse("give-b", "send_to_agent", Json(new { agent = Worker, message = "task-b" })),
                new ModelToolUse("plan", "start_workflow_run", Json(new
                {
                    name = "plan", program = Plan, phases = new[] { new { name = "look" } },
                })),
                new ModelToolUse("ask", "consult_advisor", Json(new { question = "What now?" })));
        }

        var heard = News.Count(news => texts.Any(text => text.Contains(news, StringComparison.Ordinal)));
        return Says(heard == News.Count ? "All is done." : $"Waiting, {heard} heard.");
    }

    private static ModelResponse Says(string text) => new()
    {
        Stop = ModelStop.EndTurn, Content = [new ModelText(text)],
        Usage = new ModelUsage { InputTokens = 10, OutputTokens = 2 },
    };

    private static ModelResponse Calls(params ModelContent[] calls) => new()
    {
        Stop = ModelStop.ToolUse, Content = calls, Usage = new ModelUsage { InputTokens = 10, OutputTokens = 2 },
    };

    private static IEnumerable<string> Texts(ModelRequest request) =>
        request.Messages.SelectMany(message => message.Content).SelectMany(content => content switch
        {
            ModelText text => (string[])[text.Text],
            ModelToolUse use => [use.Id],
            ModelToolResult result => [string.Concat(result.Content.OfType<TextBlock>().Select(block => block.Text))],
            _ => [],
        });

    private static SessionAgent Agent(string name) => new()
    {
        Id = $"agent_{name}",
        Version = 1,
        Name = name,
        Model = new ModelConfig { Id = name },
        Tools = [new AgentToolset()],
    };

    private static JsonElement Roster()
    {
        var worker = JsonSerializer.SerializeToElement<ThreadAgent>(
            SavedAgent.From(Agent(Worker)), WireJson.Default.ThreadAgent);
        var member = new
        {
            type = "enabled", inline_agents = new { type = "disabled" }, predefined_agents = new[] { worker },
        };
        return Json(new
        {
            type = "multiagent_20261001", subagents = member, workflows = member,
            advisor = new { type = "enabled", model = Advisor },
        });
    }

    private static JsonElement Json(object value) => JsonSerializer.SerializeToElement(value);
}
