using Tenon.Conformance.Support;

namespace Tenon.Conformance.Quickstarts;

/// <summary>The programs that a newcomer copies, run as they stand against a server with the demo model.</summary>
public sealed class QuickstartTests(DemoServer demo) : IClassFixture<DemoServer>
{
    [Fact]
    public async Task The_curl_quickstart_runs() =>
        Greeted(await Run(Repository.PathTo("examples"), "bash", "quickstart.sh"));

    [Fact]
    public async Task The_Csharp_quickstart_runs() =>
        Greeted(await Run(Repository.PathTo("examples"), Repository.Dotnet, "run", "quickstart.cs"));

    [Fact]
    public async Task The_TypeScript_quickstart_runs() => Greeted(await RunNode("quickstart.mjs"));

    [Fact]
    public async Task The_example_of_a_skill_runs()
    {
        var output = await RunNode("skill.mjs");

        Assert.Contains("uploaded greeting\n", output, StringComparison.Ordinal);
        Assert.Contains("Run `scripts/greet.sh NAME` and answer", output, StringComparison.Ordinal);
        Assert.Contains("\nGood day to you, Ada!\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_example_of_memory_remembers_over_two_sessions()
    {
        var output = await RunNode("memory.mjs");

        Assert.Equal(2, output.Split("with its memory at /mnt/memory/preferences: ").Length - 1);
        Assert.Contains("cat /mnt/memory/preferences/*` succeeded. Its output:", output.ReplaceLineEndings(" "),
            StringComparison.Ordinal);
        Assert.Contains(
            "/editor.md: The user writes in Vim. ({\"type\":\"session_actor\",", output, StringComparison.Ordinal);
    }

    private async Task<string> RunNode(string program)
    {
        // Node looks for packages beside the program, and the examples have none installed.
        var folder = Directory.CreateTempSubdirectory("tenon-quickstart-").FullName;
        try
        {
            File.Copy(Repository.PathTo($"examples/{program}"), Path.Combine(folder, program));
            Directory.CreateSymbolicLink(
                Path.Combine(folder, "node_modules"),
                Repository.PathTo("tests/Tenon.Conformance/typescript/node_modules"));

            return await Run(folder, "node", program);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<string> Run(string folder, params string[] command)
    {
        var variables = new Dictionary<string, string>
        {
            ["ANTHROPIC_BASE_URL"] = demo.Server.Url,
            ["ANTHROPIC_API_KEY"] = ServerProcess.ApiKey,
        };

        var (exitCode, output) = await ChildProgram.Run(
            command, folder, variables, TestContext.Current.CancellationToken);

        Assert.True(exitCode == 0, $"{string.Join(' ', command)} failed:\n{output}");
        return output;
    }

    private static void Greeted(string output)
    {
        Assert.Contains("""{"command":"echo hello from the sandbox"}""", output, StringComparison.Ordinal);
        Assert.Contains("succeeded. Its output:", output, StringComparison.Ordinal);
    }
}

/// <summary>A server with no model service, so that the demo model answers.</summary>
public sealed class DemoServer : IAsyncLifetime
{
    public ServerProcess Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await ServerProcess.Start(modelServiceUrl: null);

    public ValueTask DisposeAsync() => Server?.DisposeAsync() ?? ValueTask.CompletedTask;
}
