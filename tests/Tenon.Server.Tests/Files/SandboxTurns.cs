using System.Text.Json;
using Tenon.Server.Tests.Support;

namespace Tenon.Server.Tests.Files;

/// <summary>Turns in which the model makes one call.</summary>
internal static class SandboxTurns
{
    /// <summary>What the command said.</summary>
    public static Task<string> Shell(this TestSession session, string command) =>
        session.Call("bash", new { command });

    public static Task<string> Reads(this TestSession session, string path) =>
        session.Call("read", new { file_path = path });

    private static Task<string> Call(this TestSession session, string tool, object input) =>
        session.Call(tool, JsonSerializer.Serialize(input));

    /// <summary>What the tool said to its input in JSON.</summary>
    public static async Task<string> Call(this TestSession session, string tool, string input)
    {
        session.Model.Calls(tool, input).Says("done");
        var turn = await session.Run(TestSession.Says("go"));
        return turn.Single(@event => @event.Name == "agent.tool_result").Json.Text("content.0.text");
    }
}
