using Anthropic;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Tenon.Server.Configuration;
using Tenon.Server.Http;

namespace Tenon.Server.Demo;

/// <summary>
/// <c>tenon demo</c>: a server, an agent and a small repository with a failing test, driven through the public API with
/// the official C# SDK, each event printed as it comes.
/// </summary>
public static class DemoRun
{
    private const string Task = "Analyze the test failures in this repo. Fix them, run the tests again, and report.";

    /// <summary>Runs it. <paramref name="arguments"/> are those of <c>serve</c>, and <c>--model ID</c>.</summary>
    public static async Task<int> Run(IReadOnlyList<string> arguments)
    {
        var started = Stopwatch.GetTimestamp();
        var model = TakeModel(arguments, out var rest);
        var settings = SettingsReader.Read(
            rest.Any(argument => argument.StartsWith("--urls", StringComparison.Ordinal))
                ? rest
                : [.. rest, "--urls", "http://127.0.0.1:0"],
            Environment.GetEnvironmentVariables());
        await Doctor.RefuseUnsafe(settings, CancellationToken.None);
        await using var app = TenonServer.Build(settings, out var madeApiKey);

        // The installation's key is kept only as a hash, so the demo lets itself in with one of its own.
        var apiKey = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        app.Services.GetRequiredService<ApiKeys>().Admit(apiKey);
        await app.StartAsync();
        model ??= settings.ModelServices.HasAnthropic ? "claude-sonnet-5"
            : settings.ModelServices.HasOpenAi ? "gpt-5"
            : "demo";
        Console.WriteLine($"Model: {model} ({Serve.Describe(settings.ModelServices)})");
        Console.WriteLine($"Task:  {Task}");
        Console.WriteLine();

        using var client = new AnthropicClient { BaseUrl = app.Urls.First(), ApiKey = apiKey };
        var session = await Start(client, model);
        var failed = await Watch(client, session.ID, started);
        await Report(client, session.ID, settings, madeApiKey);
        await app.StopAsync();
        return failed ? 1 : 0;
    }

    private static async Task<BetaManagedAgentsSession> Start(AnthropicClient client, string model)
    {
        var environment = await client.Beta.Environments.Create(new EnvironmentCreateParams { Name = "demo" });
        var agent = await client.Beta.Agents.Create(new AgentCreateParams
        {
            Name = "Test doctor",
            Model = new BetaManagedAgentsModelConfigParams { ID = model },
            System = "You repair small repositories. The repository is in /workspace. Be brief.",
            Tools =
            [
                new BetaManagedAgentsAgentToolset20260401Params(),
            ],
        });
        var session = await client.Beta.Sessions.Create(new SessionCreateParams
        {
            Agent = agent.ID, EnvironmentID = environment.ID, Title = "Demo",
        });
        await client.Beta.Sessions.Events.Send(session.ID, new EventSendParams
        {
            Events =
            [
                new BetaManagedAgentsUserMessageEventParams
                {
                    Content = [new BetaManagedAgentsTextBlock { Text = Task }],
                },
            ],
        });
        return session;
    }

    /// <summary>Prints events until the session is idle. Says whether it ended in an error.</summary>
    private static async Task<bool> Watch(AnthropicClient client, string sessionId, long started)
    {
        var failed = false;
        await foreach (var @event in client.Beta.Sessions.Events.StreamStreaming(sessionId))
        {
            var (type, detail) = EventLine.Of(@event.Json);
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture);
            Console.WriteLine($"{seconds,6}s  {type,-30} {detail}".TrimEnd());
            failed |= type == "session.error";
            if (@event.TryPickSessionStatusIdleEvent(out _))
            {
                break;
            }
        }

        return failed;
    }

    private static async Task Report(AnthropicClient client, string sessionId, Settings settings, string? madeApiKey)
    {
        var session = await client.Beta.Sessions.Retrieve(sessionId);
        var cents = decimal.Parse(session.Usage.ListCost!.Amount, CultureInfo.InvariantCulture);
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Usage:   {session.Usage.InputTokens} tokens in, {session.Usage.OutputTokens} out, "
                + $"{session.Usage.ActiveSeconds} s running"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Cost:    ${cents / 100:0.00} at list price"));
        Console.WriteLine($"Session: {sessionId}");
        if (madeApiKey is not null)
        {
            Console.WriteLine($"API key: {madeApiKey} (made just now, shown this once)");
        }

        Console.WriteLine();
        Console.WriteLine("Look at it again:");
        Console.WriteLine($"  ./tenon serve --data {settings.DataDirectory}");
        Console.WriteLine(
            $"  curl -H \"X-Api-Key: $TENON_API_KEY\" http://127.0.0.1:4111/v1/sessions/{sessionId}/events");
    }

    private static string? TakeModel(IReadOnlyList<string> arguments, out IReadOnlyList<string> rest)
    {
        var index = arguments.ToList().IndexOf("--model");
        rest = index < 0 ? arguments : [.. arguments.Take(index), .. arguments.Skip(index + 2)];
        return index < 0 ? null : arguments.ElementAtOrDefault(index + 1)
            ?? throw new SettingsException("--model needs a value.");
    }
}
