using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using System.Collections;
using System.Text;
using System.Text.Json;
using Tenon.Server.Configuration;
using Tenon.Server.Files;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Xunit;

[assembly: AssemblyFixture(typeof(TestServer))]

namespace Tenon.Server.Tests.Support;

/// <summary>
/// A whole server on a port and a folder of its own, with scripted models. As a fixture one serves the whole run, so a
/// test makes its own agents and sessions and says nothing about those of others; a test that must see an empty server
/// starts one.
/// </summary>
public sealed class TestServer : IAsyncLifetime
{
    public const string ApiKey = "test-key";

    private readonly TempFolder _folder = new();
    private readonly string? _postgres;
    private Action<IServiceCollection>? _replace;
    private string? _data;
    private WebApplication? _app;
    private HttpClient? _client;
    private int _names;

    public ScriptedModels Models { get; } = new();

    public HttpClient Client => _client!;

    public string DataDirectory => _data ?? _folder.Path;

    public IServiceProvider Services => _app!.Services;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public TestServer()
    {
    }

    private TestServer(Action<IServiceCollection>? replace, string? postgres) =>
        (_replace, _postgres) = (replace, postgres);

    /// <param name="postgres">The connection string of its database; null takes SQLite.</param>
    public static async Task<TestServer> Start(Action<IServiceCollection>? replace = null, string? postgres = null)
    {
        var server = new TestServer(replace, postgres);
        await server.InitializeAsync();
        return server;
    }

    /// <summary>Another server with an empty store of the same kind.</summary>
    public async Task<TestServer> StartEmpty() =>
        await Start(postgres: _postgres is null ? null : await PostgresRun.NewDatabase());

    /// <summary>A server on data that are there already, and stay.</summary>
    /// <param name="script">Writes down what models answer to the sessions that go on at once.</param>
    public static async Task<TestServer> StartOn(string data, Action<ScriptedModels>? script = null)
    {
        var server = new TestServer { _data = data };
        script?.Invoke(server.Models);
        await server.InitializeAsync();
        return server;
    }

    public async ValueTask InitializeAsync()
    {
        var settings = SettingsReader.Read(
            ["--urls", "http://127.0.0.1:0", "--data", DataDirectory, .. _postgres is null
                ? Array.Empty<string>() : ["--postgres", _postgres]],
            new Hashtable { ["TENON_API_KEY"] = ApiKey });
        _app = TenonServer.Build(settings, out _, services =>
        {
            services.AddLogging(logging => logging.ClearProviders());
            services.AddSingleton<IModel>(provider => new ModelFiles(
                Models, provider.GetRequiredService<FileStore>(), provider.GetRequiredService<IBlobStore>(),
                provider.GetRequiredService<TimeProvider>()));
            _replace?.Invoke(services);
        });
        await _app.StartAsync();
        _client = NewClient(("Authorization", $"Bearer {ApiKey}"));
    }

    /// <summary>Stops the server as an operator does, and starts another on the same data.</summary>
    public async Task Restart()
    {
        await Stop();
        await InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Stop();
        await SandboxRemains.Clear(DataDirectory);
        _folder.Dispose();
    }

    public HttpClient NewClient(params ReadOnlySpan<(string Name, string Value)> headers)
    {
        var client = new HttpClient { BaseAddress = new Uri(_app!.Urls.Single()) };
        foreach (var (name, value) in headers)
        {
            client.DefaultRequestHeaders.Add(name, value);
        }

        return client;
    }

    public Task<Answer> Get(string path) => Send(HttpMethod.Get, path);

    public Task<Answer> Delete(string path) => Send(HttpMethod.Delete, path);

    /// <param name="json">The body as text; null sends none.</param>
    public Task<Answer> Post(string path, string? json = null) => Send(HttpMethod.Post, path, json);

    /// <param name="body">Anything that serializes to the JSON wanted; its names go out as they stand.</param>
    public Task<Answer> Post(string path, object body) => Post(path, JsonSerializer.Serialize(body));

    public async Task<Answer> Send(HttpMethod method, string path, string? json = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        }

        using var response = await Client.SendAsync(request, Cancelled);
        return await Answer.Read(response, Cancelled);
    }

    /// <summary>A new agent's id. <paramref name="fields"/> are JSON members beside name and model.</summary>
    public async Task<string> NewAgent(string model = "scripted", string fields = "")
    {
        var more = fields.Length > 0 ? "," + fields : "";
        return (await Post("/v1/agents", $$"""{"name":"tester","model":"{{model}}"{{more}}}""")).Ok().Text("id");
    }

    public async Task<string> NewEnvironment(string type = "cloud") =>
        (await Post("/v1/environments", $$$"""{"name":"e","config":{"type":"{{{type}}}"}}""")).Ok().Text("id");

    /// <summary>
    /// A session with an agent and a model of its own. <paramref name="tools"/> is the agent's JSON array.
    /// </summary>
    public async Task<TestSession> NewSession(string tools = "[]", string fields = "")
    {
        var model = $"scripted-{Interlocked.Increment(ref _names)}";
        return await NewSessionOf(model, await NewAgent(model, $"\"tools\":{tools}"), fields);
    }

    /// <summary>A session of an agent that is there, whose model is <paramref name="model"/>.</summary>
    public async Task<TestSession> NewSessionOf(string model, string agentId, string fields = "")
    {
        var environmentId = await NewEnvironment();
        var more = fields.Length > 0 ? "," + fields : "";
        var created = (await Post(
            "/v1/sessions", $$"""{"agent":"{{agentId}}","environment_id":"{{environmentId}}"{{more}}}""")).Ok();
        return new TestSession(this, created, Models.Of(model));
    }

    /// <summary>Stops the server as an operator does; its data stay.</summary>
    public async Task Stop()
    {
        _client?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
            _app = null;
        }
    }
}
