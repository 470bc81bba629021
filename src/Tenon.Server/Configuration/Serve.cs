using Tenon.Server.Models;
using Tenon.Server.Sessions;

namespace Tenon.Server.Configuration;

/// <summary><c>tenon serve</c>: starts the server, says where it is, and runs until it is told to stop.</summary>
public static class Serve
{
    public static async Task<int> Run(IReadOnlyList<string> arguments)
    {
        var settings = SettingsReader.Read(arguments, Environment.GetEnvironmentVariables());

        // The probes wait for a sandbox most of the time. Nothing of the server runs before they have held.
        var refusing = Doctor.RefuseUnsafe(settings, CancellationToken.None);
        await using var app = TenonServer.Build(settings, out var madeApiKey);
        await refusing;
        await app.StartAsync();
        foreach (var url in app.Urls)
        {
            Console.WriteLine($"Tenon listens on {url}");
        }

        Console.WriteLine(
            $"Data: {settings.DataDirectory}{(settings.Postgres is null ? "" : ", and a PostgreSQL database")}");
        Console.WriteLine($"Models: {Describe(settings.ModelServices)}");
        Console.WriteLine($"Searches: {settings.Search.Backend ?? "none; choose a back end with search.backend"}");
        if (madeApiKey is not null)
        {
            Console.WriteLine($"API key, shown this once: {madeApiKey}");
        }

        await app.WaitForShutdownAsync();

        // Whoever watches over this process starts it again, and then it stands by.
        return app.Services.GetServices<IHostedService>().OfType<SessionWaker>().Single().IsSuperseded ? 1 : 0;
    }

    public static string Describe(ModelServices services) => (services.HasAnthropic, services.HasOpenAi) switch
    {
        (true, true) => "claude-* by Anthropic, all others by the OpenAI-compatible service",
        (true, false) => "claude-* by Anthropic; set OPENAI_API_KEY or OPENAI_BASE_URL for others",
        (false, true) => "all but claude-* by the OpenAI-compatible service; set ANTHROPIC_API_KEY for claude-*",
        _ => "the built-in demo model; set ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL for a real one",
    };
}
