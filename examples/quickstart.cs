// An agent runs a command in its sandbox. Run it with `dotnet run quickstart.cs`; it needs ANTHROPIC_BASE_URL and
// ANTHROPIC_API_KEY.
#:package Anthropic@13.12.0
#:property PublishAot=false
using System.Text.Json;
using Anthropic;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions.Events;

var client = new AnthropicClient();

var environment = await client.Beta.Environments.Create(new() { Name = "quickstart" });
var agent = await client.Beta.Agents.Create(new()
{
    Name = "quickstart",
    Model = BetaManagedAgentsModel.ClaudeSonnet5,
    Tools = [new BetaManagedAgentsAgentToolset20260401Params()],
});
var session = await client.Beta.Sessions.Create(new() { EnvironmentID = environment.ID, Agent = agent.ID });

var text = "Run `echo hello from the sandbox` and tell me what it says.";
await client.Beta.Sessions.Events.Send(session.ID, new()
{
    Events =
    [
        new BetaManagedAgentsUserMessageEventParams { Content = [new BetaManagedAgentsTextBlock { Text = text }] },
    ],
});

await foreach (var item in client.Beta.Sessions.Events.StreamStreaming(session.ID))
{
    if (item.TryPickAgentMessageEvent(out var message))
    {
        var blocks = message.Content.Select(block => block.Value).OfType<BetaManagedAgentsTextBlock>();
        Console.WriteLine(string.Concat(blocks.Select(block => block.Text)));
    }
    else if (item.TryPickAgentToolUseEvent(out var use))
    {
        Console.WriteLine($"{use.Name}: {JsonSerializer.Serialize(use.Input)}");
    }
    else if (item.TryPickSessionStatusIdleEvent(out _))
    {
        break;
    }
}
