using System.Diagnostics;
using Xunit;

namespace Tenon.Server.Tests.Support;

/// <summary>Runs a program of <c>examples/</c> with the official TypeScript SDK, which the launcher installs.</summary>
internal static class ExampleProgram
{
    /// <summary>What it printed, once it has ended well.</summary>
    public static async Task<string> Run(TestServer server, string program, Dictionary<string, string> variables)
    {
        // Node looks for packages beside the program, and the examples have none installed.
        using var folder = new TempFolder();
        var packages = Path.Combine(Repository.Root, "tests/Tenon.Conformance/typescript/node_modules");
        Assert.True(Directory.Exists(packages), $"{packages} is not there: run ./tenon test once.");
        File.Copy(Path.Combine(Repository.Root, "examples", program), Path.Combine(folder.Path, program));
        Directory.CreateSymbolicLink(Path.Combine(folder.Path, "node_modules"), packages);
        var start = new ProcessStartInfo("node", [program])
        {
            WorkingDirectory = folder.Path, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        variables["ANTHROPIC_BASE_URL"] = server.Client.BaseAddress!.GetLeftPart(UriPartial.Authority);
        variables["ANTHROPIC_API_KEY"] = TestServer.ApiKey;
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        using var node = Process.Start(start)!;
        var errors = node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(node.ExitCode == 0, $"{program} failed:\n{output}\n{await errors}");
        return output;
    }
}
