using Tenon.Bench.Soak;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>
/// What idle sessions cost <c>./tenon serve</c> as a child, which has neither client nor model service in it.
/// </summary>
internal static class ServerMemory
{
    private const string Name = "memory";
    private const int Sessions = 10_000;
    private const int AtOnce = 64;
    private const double WholeMbMax = 300;
    private const string Hello =
        """{"events":[{"type":"user.message","content":[{"type":"text","text":"hello"}]}]}""";

    public static async Task Run(BenchRun run)
    {
        await using var model = new AnthropicService { Responder = _ => Reply.Text("hello ", "world") };
        model.Script.KeepsRequests = false;
        await using var server = new SoakServer(model.Url, run.Postgres);
        server.Start();
        await server.Ready();
        var agent = await server.Post("/v1/agents", """{"name":"bench","model":"claude-opus-4-8"}""");
        var environment = await server.Post("/v1/environments", """{"name":"bench"}""");
        var body = $$"""
            {"agent":"{{agent.GetProperty("id")}}","environment_id":"{{environment.GetProperty("id")}}"}
            """;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Sessions), new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (_, _) =>
                await Turn(server, (await server.Post("/v1/sessions", body)).GetProperty("id").GetString()!));
        run.Add(new Measure
        {
            Name = Name, Here = server.Memory("VmRSS"), Unit = "MB", Reach = WholeMbMax,
            What = BenchRun.Invariant(
                $"resident memory of the server alone with {Sessions:#,0} idle sessions, after a turn of each"),
        });
        await server.Clear();
    }

    private static async Task Turn(SoakServer server, string session)
    {
        using var opened = await server.Client.GetAsync(
            $"/v1/sessions/{session}/events/stream", HttpCompletionOption.ResponseHeadersRead);
        await server.Post($"/v1/sessions/{session}/events", Hello);
        using var lines = new StreamReader(await opened.Content.ReadAsStreamAsync());
        while (await lines.ReadLineAsync() is { } line && line != "event: session.status_idle")
        {
        }
    }
}
