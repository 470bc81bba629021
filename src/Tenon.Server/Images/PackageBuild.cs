using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Content;
using Tenon.Wire.Environments;

namespace Tenon.Server.Images;

/// <summary>One installation of packages: its steps, how far they are, and its end.</summary>
internal sealed class PackageBuild(IReadOnlyList<PackageStep> steps, TimeProvider clock)
{
    /// <summary>A large crate compiles for long; a step that takes longer hangs.</summary>
    private static readonly TimeSpan StepTime = TimeSpan.FromMinutes(30);

    private const int ErrorCharsMax = 4_000;

    private readonly PackageStepState[] _states = [.. steps.Select(step => new PackageStepState
    {
        Manager = step.Manager, Packages = step.Packages, Status = "pending",
    })];

    /// <summary>Completes when the layer is there.</summary>
    public Task Done { get; set; } = Task.CompletedTask;

    public DateTimeOffset? FailedAt { get; private set; }

    public IReadOnlyList<PackageStepState> States => [.. _states];

    public void Skip() => Array.ForEach(Enumerable.Range(0, _states.Length).ToArray(),
        i => _states[i] = _states[i] with { Status = "ready" });

    /// <summary>Makes every step in the sandbox.</summary>
    /// <exception cref="SandboxException">One failed; the message has the end of what it said.</exception>
    public async Task Run(ISandbox sandbox, CancellationToken cancellationToken)
    {
        for (var i = 0; i < steps.Count; i++)
        {
            _states[i] = _states[i] with { Status = "installing", StartedAt = clock.GetUtcNow() };
            var output = await Bash(sandbox, steps[i].Command, i, cancellationToken);
            var ended = _states[i] with { EndedAt = clock.GetUtcNow() };
            if (output.IsError)
            {
                var error = Text(output);
                error = error.Length <= ErrorCharsMax ? error : error[^ErrorCharsMax..];
                _states[i] = ended with { Status = "failed", Error = error };
                throw new SandboxException(
                    $"The environment's packages could not be installed. {steps[i].Manager} said: {error}");
            }

            _states[i] = ended with { Status = "ready" };
        }

        var finish = await Bash(sandbox, PackageStep.Finish, steps.Count, cancellationToken);
        if (finish.IsError)
        {
            throw new SandboxException($"The environment's packages could not be kept: {Text(finish)}");
        }
    }

    public void Fail() => FailedAt = clock.GetUtcNow();

    private static Task<ToolOutput> Bash(
        ISandbox sandbox, string command, int number, CancellationToken cancellationToken) => sandbox.Call(
        new SandboxCall($"step_{number}", "bash", JsonSerializer.SerializeToElement(new Dictionary<string, object>
        {
            ["command"] = $"( {command}\n)", ["timeout_ms"] = (int)StepTime.TotalMilliseconds,
        })), cancellationToken);

    private static string Text(ToolOutput output) =>
        string.Concat(output.Content.OfType<TextBlock>().Select(block => block.Text)).Trim();
}
