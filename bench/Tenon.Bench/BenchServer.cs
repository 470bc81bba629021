using System.Collections;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Runtime;
using Tenon.Server;
using Tenon.Server.Configuration;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>A whole server on a folder of its own, and a scripted model service that it talks to.</summary>
internal sealed class BenchServer : IAsyncDisposable
{
    public const string Key = "bench";

    private readonly string _folder = Directory.CreateTempSubdirectory("tenon-bench-").FullName;
    private readonly WebApplication _app;

    private BenchServer(AnthropicService service, string? postgres, Action<IServiceCollection>? replace)
    {
        Model = service;
        string[] database = postgres is null ? [] : ["--postgres", postgres];
        var settings = SettingsReader.Read(
            ["--data", _folder, "--urls", "http://127.0.0.1:0", .. database],
            new Hashtable
            {
                ["TENON_API_KEY"] = Key,
                ["ANTHROPIC_API_KEY"] = Key,
                ["ANTHROPIC_BASE_URL"] = service.Url,
            });
        _app = TenonServer.Build(settings, out _, services =>
        {
            services.AddSingleton<IEventLog>(provider =>
                Log = new TimedLog(provider.GetRequiredService<IDatabase>().Log));
            replace?.Invoke(services);
        });
    }

    public AnthropicService Model { get; }

    public IServiceProvider Services => _app.Services;

    public HttpClient Client { get; } = new();

    /// <summary>When the log last became durable.</summary>
    public TimedLog Log { get; private set; } = null!;

    public static async Task<BenchServer> Start(
        Func<JsonElement, Reply> responder, string? postgres, Action<IServiceCollection>? replace = null)
    {
        var service = new AnthropicService { Responder = responder };
        service.Script.KeepsRequests = false;
        var server = new BenchServer(service, postgres, replace);
        await server._app.StartAsync();
        server.Client.BaseAddress = new Uri(server._app.Urls.First());
        server.Client.DefaultRequestHeaders.Add("X-Api-Key", Key);
        return server;
    }

    public async Task<string> NewAgent()
    {
        var agent = await Post(
            "/v1/agents",
            """{"name":"bench","model":"claude-opus-4-8","tools":[{"type":"agent_toolset_20260401"}]}""");
        var environment = await Post("/v1/environments", """{"name":"bench"}""");
        return $$"""{"agent":"{{agent.GetProperty("id")}}","environment_id":"{{environment.GetProperty("id")}}"}""";
    }

    public async Task<string> NewSession(string body) =>
        (await Post("/v1/sessions", body)).GetProperty("id").GetString()!;

    public Task Send(string session) => Post(
        $"/v1/sessions/{session}/events",
        """{"events":[{"type":"user.message","content":[{"type":"text","text":"go"}]}]}""");

    /// <param name="count">Of an idle session each is one event in the log, and nothing else.</param>
    public Task Interrupt(string session, int count = 1) => Post(
        $"/v1/sessions/{session}/events",
        $$"""{"events":[{{string.Join(',', Enumerable.Repeat("""{"type":"user.interrupt"}""", count))}}]}""");

    public Task Kill(string session) => Post($"/v1/sessions/{session}/kill", "");

    /// <summary>Lets every owner without work go, as happens by itself after some minutes.</summary>
    public Task Deactivate() => _app.Services.GetRequiredService<IGrainFactory>()
        .GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);

    /// <summary>An open stream of a session. Reading it does not start before the server has it.</summary>
    public async Task<IAsyncEnumerator<SseItem<string>>> Stream(string session)
    {
        var request = new HttpRequestMessage(
            HttpMethod.Get, $"/v1/sessions/{session}/events/stream?event_deltas[]=agent.message");
        var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync().GetAsyncEnumerator();
    }

    public static async Task Until(IAsyncEnumerator<SseItem<string>> stream, string type)
    {
        while (await stream.MoveNextAsync() && stream.Current.EventType != type)
        {
            // Every event before it is read and dropped.
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await Model.DisposeAsync();
        await SandboxRemains.Clear(_folder);
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<JsonElement> Post(string path, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await Client.PostAsync(path, content);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}
