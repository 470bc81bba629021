using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench.Soak;

/// <summary>
/// <c>./tenon serve</c> as a child that is killed and started again on the same data and the same port.
/// </summary>
internal sealed class SoakServer : IAsyncDisposable
{
    private const string Key = "soak";

    /// <summary>
    /// A start takes two seconds, and who waits for it may see several that are killed. A busy machine takes ten times
    /// as long.
    /// </summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    private readonly IReadOnlyDictionary<string, string> _variables;
    private readonly string _url = $"http://127.0.0.1:{FreePort()}";
    private ChildProgram? _program;
    private Task _ready = Task.CompletedTask;

    /// <param name="modelUrl">The scripted model service.</param>
    /// <param name="postgres">A connection string; null for SQLite.</param>
    /// <param name="more">Settings that only this child has.</param>
    public SoakServer(string modelUrl, string? postgres, params ReadOnlySpan<(string Variable, string Value)> more)
    {
        var variables = new Dictionary<string, string>
        {
            ["TENON_API_KEY"] = Key,
            ["ANTHROPIC_API_KEY"] = Key,
            ["ANTHROPIC_BASE_URL"] = modelUrl,
        };
        if (postgres is not null)
        {
            variables["TENON_POSTGRES"] = postgres;
        }

        foreach (var (variable, value) in more)
        {
            variables[variable] = value;
        }

        _variables = variables;
        Client = new HttpClient { BaseAddress = new Uri(_url), Timeout = Timeout.InfiniteTimeSpan };
        Client.DefaultRequestHeaders.Add("X-Api-Key", Key);
    }

    public HttpClient Client { get; }

    /// <summary>Walkable for the sandboxes' users, unlike a private temporary folder.</summary>
    public string Data { get; } = Directory.CreateDirectory(
        Path.Combine(Path.GetTempPath(), "tenon-soak-" + Path.GetRandomFileName()),
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;

    /// <summary>The present child: the launcher becomes the server.</summary>
    public int Pid => _program!.Pid;

    /// <summary>What the present child has said.</summary>
    public string Output => _program?.Output ?? "";

    public void Start() => _program = ChildProgram.Start(
        [Repository.PathTo("tenon"), "serve", "--urls", _url, "--data", Data], Data, _variables);

    public async Task Kill()
    {
        // Whoever disposes this meanwhile, because a session failed, must not find what is disposed here.
        await using var program = Interlocked.Exchange(ref _program, null)!;
        await program.Kill();
    }

    /// <summary>
    /// Waits until it takes requests. All who wait share one poll: a hundred that each asked a dead port all the time
    /// would take the processor that the start needs.
    /// </summary>
    public Task Ready()
    {
        lock (_variables)
        {
            return _ready = _ready.IsCompleted ? Poll() : _ready;
        }
    }

    /// <summary>Posts JSON, and reads the JSON that comes back.</summary>
    public async Task<JsonElement> Post(string path, string body)
    {
        using var answer = await Client.PostAsync(path, new StringContent(body, null, "application/json"));
        return answer.IsSuccessStatusCode
            ? await answer.Content.ReadFromJsonAsync<JsonElement>()
            : throw new InvalidOperationException(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>What the kernel says of the child's memory, in MB.</summary>
    /// <param name="field"><c>VmRSS</c> for now, <c>VmHWM</c> for the most there was.</param>
    public double Memory(string field) => double.Parse(
        File.ReadLines($"/proc/{Pid}/status").Single(line => line.StartsWith(field + ":", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) / 1024;

    /// <summary>Ends it and its sandboxes, and deletes the data.</summary>
    public async Task Clear()
    {
        await Kill();
        await SandboxRemains.Clear(Data);
        Directory.Delete(Data, recursive: true);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _program, null) is { } program)
        {
            await program.DisposeAsync();
        }

        Client.Dispose();
    }

    private async Task Poll()
    {
        var started = Stopwatch.GetTimestamp();
        while (!await IsReady())
        {
            if (Stopwatch.GetElapsedTime(started) > StartTime)
            {
                throw new InvalidOperationException($"The server does not start. It said:\n{Output}");
            }

            await Task.Delay(PollInterval);
        }
    }

    private async Task<bool> IsReady()
    {
        try
        {
            using var answer = await Client.GetAsync("/health");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
