using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Anthropic;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.Support;

/// <summary>
/// The built server as a child process on loopback, with a data folder of its own. It can be killed and started again
/// on the same folder and port. Disposing it leaves no process and no file behind.
/// </summary>
public sealed class ServerProcess : IAsyncDisposable
{
    /// <summary>Sent by clients; any word will do.</summary>
    public const string ApiKey = "conformance-key";

    private const string Listening = "Tenon listens on ";

    /// <summary>A start takes about two seconds; a busy machine may need many times that.</summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);

    /// <summary>Service managers kill what takes much longer.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly string _data = MakeDataFolder();
    private readonly string? _modelServiceUrl;
    private ChildProgram? _program;

    private ServerProcess(string? modelServiceUrl) => _modelServiceUrl = modelServiceUrl;

    /// <summary>The address with no path. It stays the same after a restart.</summary>
    public string Url { get; private set; } = "http://127.0.0.1:0";

    /// <summary>For failure messages.</summary>
    public string Output => _program?.Output ?? "";

    /// <param name="modelServiceUrl">The scripted service in place of Anthropic; null leaves the demo model.</param>
    public static async Task<ServerProcess> Start(string? modelServiceUrl)
    {
        var server = new ServerProcess(modelServiceUrl);
        try
        {
            await server.Start();
            return server;
        }
        catch
        {
            // The caller gets no server to dispose of.
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it, also again after <see cref="Kill"/>; returns when it says that it is ready.</summary>
    public async Task Start()
    {
        if (!File.Exists(Repository.ServerDll))
        {
            throw new InvalidOperationException($"{Repository.ServerDll} is not built: run ./tenon --help once.");
        }

        var variables = new Dictionary<string, string>
        {
            ["TENON_API_KEY"] = ApiKey,

            // The one address on which these tests have hosts that agents reach.
            ["TENON_EGRESS_RANGES"] = $"{PageHost.Address}/32",
        };
        if (_modelServiceUrl is not null)
        {
            variables["ANTHROPIC_API_KEY"] = "scripted";
            variables["ANTHROPIC_BASE_URL"] = _modelServiceUrl;
        }

        var listening = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _program = ChildProgram.Start(
            [Repository.Dotnet, Repository.ServerDll, "serve", "--urls", Url, "--data", _data], _data, variables,
            line =>
            {
                if (line.StartsWith(Listening, StringComparison.Ordinal))
                {
                    listening.TrySetResult(line[Listening.Length..].Trim());
                }
            });
        await WaitUntilReady(_program, listening.Task);
    }

    /// <summary>Ends it with SIGKILL, as a crash does: nothing of it runs on but its sandboxes.</summary>
    public Task Kill() => _program!.Kill();

    /// <summary>Stops it in good order (SIGTERM), as a service manager does.</summary>
    public async Task Stop() => Assert.Equal(0, await _program!.Terminate(StopTime));

    /// <summary>A client that fails on any answer that does not fit the SDK's own model of it.</summary>
    public AnthropicClient Client(string apiKey = ApiKey) => new()
    {
        BaseUrl = Url,
        ApiKey = apiKey,
        AuthToken = null,
        ResponseValidation = true,
    };

    /// <summary>A plain HTTP client with the key, for what the SDKs do not show.</summary>
    public HttpClient Http()
    {
        var http = new HttpClient { BaseAddress = new Uri(Url) };
        http.DefaultRequestHeaders.Add("Authorization", $"Bearer {ApiKey}");
        return http;
    }

    /// <summary>
    /// Waits until a sandbox has written this line to a file of that name. The only sign of life that a command gives
    /// while it runs: no event comes before its end. Returns the file's path.
    /// </summary>
    public async Task<string> SandboxWrote(string line, string fileName, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(StartTime);
        while (true)
        {
            if (Directory.EnumerateFiles(_data, fileName, SearchOption.AllDirectories)
                .FirstOrDefault(path => File.ReadLines(path).Contains(line)) is { } written)
            {
                return written;
            }

            await Task.Delay(PollInterval, deadline.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_program is not null)
        {
            await _program.DisposeAsync();
        }

        EndSandboxes();
        Unmount();
        Directory.Delete(_data, recursive: true);
    }

    // A server leaves sessions' disks mounted for the next one, and nothing is deleted across a mount.
    private void Unmount()
    {
        var mounts = File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' ')[4])
            .Where(path => path.StartsWith(_data, StringComparison.Ordinal)).Reverse().ToList();
        foreach (var path in mounts)
        {
            using var process = Process.Start("umount", ["--lazy", path]);
            process.WaitForExit();
        }
    }

    private async Task WaitUntilReady(ChildProgram program, Task<string> listening)
    {
        using var deadline = new CancellationTokenSource(StartTime);
        try
        {
            await (await Task.WhenAny(listening, Ended())).WaitAsync(deadline.Token);
            Url = await listening;
            using var http = new HttpClient();
            (await http.GetAsync(Url + "/health", deadline.Token)).EnsureSuccessStatusCode();
        }
        catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException)
        {
            throw new InvalidOperationException($"The server was not ready. It said:\n{Output}", exception);
        }

        async Task Ended()
        {
            await program.Exited.WaitAsync(deadline.Token);
            throw new InvalidOperationException($"The server ended. It said:\n{Output}");
        }
    }

    private static string MakeDataFolder()
    {
        // Sandboxes run as other users, who must be able to walk here: a private temporary folder would not do.
        var folder = Path.Combine(Path.GetTempPath(), "tenon-conformance-" + Path.GetRandomFileName());
        const UnixFileMode Walkable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return Directory.CreateDirectory(folder, Walkable).FullName;
    }

    /// <summary>Ends what outlives a server by design, so that work goes on through a restart.</summary>
    public void EndSandboxes()
    {
        var sandboxes = Path.Combine(_data, "sandboxes");
        var records = Directory.Exists(sandboxes)
            ? Directory.GetFiles(sandboxes, "sandbox.json", new EnumerationOptions
            {
                RecurseSubdirectories = true, MaxRecursionDepth = 1,
            })
            : [];
        foreach (var record in records.Select(path => JsonElement.Parse(File.ReadAllBytes(path))))
        {
            EndProcess(record.GetProperty("pid").GetInt32(), record.GetProperty("started_ticks").GetInt64());
            if (record.GetProperty("socket").GetString() is { } socket)
            {
                File.Delete(socket);
            }
        }
    }

    private static void EndProcess(int pid, long startedTicks)
    {
        try
        {
            // The pid alone may by now be another process. The start is the 20th field after the name in brackets.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            if (pid > 0 && long.Parse(fields[19], CultureInfo.InvariantCulture) == startedTicks)
            {
                using var process = Process.GetProcessById(pid);
                process.Kill();
                process.WaitForExit();
            }
        }
        catch (Exception exception) when (exception is IOException or ArgumentException)
        {
            // It ended meanwhile.
        }
    }
}
