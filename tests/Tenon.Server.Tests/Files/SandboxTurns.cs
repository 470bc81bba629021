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

    private static async Task<string> Call(this TestSession session, string tool, object input)
    {
        session.Model.Calls(tool, JsonSerializer.Serialize(input)).Says("done");
        var turn = await session.Run(TestSession.Says("go"));
        return turn.Single(@event => @event.Name == "agent.tool_result").Json.Text("content.0.text");
    }
}
