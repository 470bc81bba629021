using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tools;
using Tenon.Wire.Content;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>The sandbox that calls go to: which life of it, and what the model is told of that.</content>
public sealed partial class Turn
{
    private const string FilesGone =
        "[The files of this session are no longer kept. The workspace is empty, and the shell starts afresh in it.]";

    /// <summary>
    /// Makes sure that the sandbox stands and that the log knows which life of it the call goes to, before the call
    /// goes. Returns the call's result when it must not run: the sandbox cannot start, or may have run it before it
    /// died.
    /// </summary>
    private async Task<ToolOutput?> TryOpen(Call call, CancellationToken cancellationToken)
    {
        ISandbox sandbox;
        SandboxProvision provision;
        try
        {
            sandbox = await tools.Open(cancellationToken);
            provision = await sandbox.Provisioned(cancellationToken);
        }
        catch (SandboxException exception)
        {
            return ToolOutput.Error($"The sandbox could not be started: {exception.Message}");
        }

        if (sandbox.Instance == History.Session.SandboxInstance)
        {
            await Tell(sandbox.Instance, History.SandboxNotice, provision);
            return null;
        }

        // What runs in the server only leaves a file there.
        if (BuiltinTools.IsSandboxed(call.Name) && _inherited.Contains(call.Id)
            && History.Session.SandboxInstance is not null)
        {
            return ToolOutput.Error(
                "The sandbox was lost while this call may have been running, so its outcome is unknown. "
                + "Check before you repeat it.");
        }

        await Tell(
            sandbox.Instance, History.Session.SandboxInstance is null ? null : sandbox.Notice ?? FilesGone, provision);
        return null;
    }

    /// <summary>Logs a life of the sandbox, or what was put into one that is known, with what went wrong.</summary>
    private Task Tell(string instance, string? notice, SandboxProvision provision)
    {
        var news = provision.Notice == History.Session.SandboxProvision ? null : provision.Notice;
        return instance == History.Session.SandboxInstance && news is null ? Task.CompletedTask : log.Append(
        [
            new SandboxOpened(instance)
            {
                Notice = notice is null || news is null ? notice ?? news : $"{notice}\n{news}", Provision = news,
            },
            .. news is null ? [] : provision.Problems.Select(problem => new Shown(NotThere(problem))),
        ]);
    }

    private static SessionError NotThere(SandboxProblem problem)
    {
        var error = Error(problem.Type, problem.Message, "retrying");
        error.Error.Extra = new() { ["repository_url"] = JsonSerializer.SerializeToElement(problem.Url) };
        return error;
    }

    /// <summary>The output with what the model must know of the life of the sandbox that it came from.</summary>
    private ToolOutput WithNotice(Call call, ToolOutput output) =>
        History.SandboxNotice is { } notice && BuiltinTools.IsSandboxed(call.Name)
            ? output with { Content = [.. output.Content, ContentBlock.Of(notice)] } : output;
}
