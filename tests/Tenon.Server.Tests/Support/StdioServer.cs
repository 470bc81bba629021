using System.Text.Json;
using Tenon.Wire.Agents;

namespace Tenon.Server.Tests.Support;

/// <summary>An MCP server that speaks over its input and output, as a program in a sandbox.</summary>
public static class StdioServer
{
    /// <summary>
    /// Its tools: <c>count</c> says how often it was called in this life of the program, <c>say</c> gives the value of
    /// a variable, <c>write</c> makes a file, <c>die</c> ends the program amid the call, <c>hang</c> never answers,
    /// and <c>flood</c> answers without end.
    /// </summary>
    public const string Program = """
        import json, os, sys, time
        count = 0
        def send(message):
            print(json.dumps(message), flush=True)
        def text(words):
            return {"content": [{"type": "text", "text": words}]}
        def call(name, given):
            global count
            if name == "count":
                count += 1
                return text(str(count))
            if name == "say":
                return text(os.environ.get(given["name"], "none") + " " + os.getcwd() + " " + repr(sys.argv[1:]))
            if name == "write":
                open(given["path"], "w").write("written")
                return text("ok")
            if name == "die":
                open("/workspace/died", "a").write("x")
                print("out of lamps", file=sys.stderr, flush=True)
                os._exit(3)
            if name == "hang":
                time.sleep(600)
            while True:
                sys.stdout.write("x" * 65536)
        print("this line is no message", flush=True)
        for line in sys.stdin:
            message = json.loads(line)
            if "id" not in message:
                continue
            method, given = message["method"], message.get("params") or {}
            answer = {"jsonrpc": "2.0", "id": message["id"]}
            if method == "initialize":
                answer["result"] = {"protocolVersion": given["protocolVersion"], "capabilities": {"tools": {}},
                                    "serverInfo": {"name": "lamps", "version": "1"} }
            elif method == "tools/list":
                answer["result"] = {"tools": [{"name": name, "description": name, "inputSchema": {"type": "object"},
                    "annotations": {"readOnlyHint": name == "say"} }
                    for name in ["count", "say", "write", "die", "hang", "flood"]]}
            elif method == "tools/call":
                answer["result"] = call(given["name"], given.get("arguments") or {})
            else:
                answer["error"] = {"code": -32601, "message": "no such method"}
            send(answer)
        """;

    public static McpServer Python(params string[] arguments) => Of("python3", ["-u", "-c", Program, .. arguments]);

    public static McpServer Of(string command, params string[] arguments) => new()
    {
        Type = McpServer.StdioType, Name = "s", Command = command, Args = arguments,
    };

    /// <summary>As an agent has it, with all its tools allowed.</summary>
    public static string Fields(McpServer server) => $$$"""
        "mcp_servers":[{{{JsonSerializer.Serialize(server, Tenon.Wire.WireJson.Default.McpServer)}}}],
        "tools":[{"type":"mcp_toolset","mcp_server_name":"s",
                  "default_config":{"permission_policy":{"type":"always_allow"} } },
                 {"type":"agent_toolset_20260401"}]
        """;
}
