using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Web;

namespace Tenon.Server.Tools;

/// <summary>
/// The tools of <c>agent_toolset_20260401</c> that run in the sandbox: what the model is told about each (api E).
/// </summary>
public static class BuiltinTools
{
    /// <summary>
    /// What the model is offered, in a fixed order: the request's prefix must not change between turns.
    /// </summary>
    public static IReadOnlyList<ModelTool> Sandboxed { get; } =
    [
        Tool(
            "bash",
            "Runs a command in a bash shell that persists: directory, variables and background jobs stay between "
                + "calls. "
                + "Standard input is empty. Returns standard output and error together.",
            """
            {"type":"object","properties":{
              "command":{"type":"string","description":"The command to run."},
              "restart":{"type":"boolean","description":"Start the shell afresh first."},
              "timeout_ms":{"type":"integer","description":"Time limit in milliseconds. Default 120000."}}}
            """),
        Tool(
            "read",
            "Reads a text file. Pictures (PNG, JPEG, GIF, WebP) and PDFs are shown as they are, and Jupyter notebooks "
                + "cell by cell.",
            """
            {"type":"object","required":["file_path"],"properties":{
              "file_path":{"type":"string","description":"Absolute, or relative to /workspace."},
              "view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2,
                "description":"First and last line or cell, counted from 1, both included; a last of -1 is the end."}}}
            """),
        Tool(
            "write",
            "Writes a file, replacing it if it exists and creating its directories.",
            """
            {"type":"object","required":["file_path","content"],"properties":{
              "file_path":{"type":"string","description":"Absolute, or relative to /workspace."},
              "content":{"type":"string","description":"The whole content."}}}
            """),
        Tool(
            "edit",
            "Replaces text in a file. The old text must occur exactly once unless replace_all is set.",
            """
            {"type":"object","required":["file_path","old_string","new_string"],"properties":{
              "file_path":{"type":"string","description":"Absolute, or relative to /workspace."},
              "old_string":{"type":"string","description":"The text to replace, exactly as it stands in the file."},
              "new_string":{"type":"string","description":"The text to put in its place."},
              "replace_all":{"type":"boolean","description":"Replace every occurrence."}}}
            """),
        Tool(
            "glob",
            "Lists files whose path matches a pattern such as **/*.cs, newest first.",
            """
            {"type":"object","required":["pattern"],"properties":{
              "pattern":{"type":"string","description":"The pattern; ** matches any number of directories."},
              "path":{"type":"string","description":"The directory to search. Default /workspace."}}}
            """),
        Tool(
            "grep",
            "Searches file contents with a regular expression. Returns path:line:text.",
            """
            {"type":"object","required":["pattern"],"properties":{
              "pattern":{"type":"string","description":"The regular expression."},
              "path":{"type":"string","description":"The file or directory to search. Default /workspace."}}}
            """),
    ];

    public static bool IsSandboxed(string name) => Sandboxed.Any(tool => tool.Name == name);

    /// <summary>Whether calls of this tool may run beside others: it changes nothing.</summary>
    public static bool IsParallel(string name) => name is "read" or "glob" or "grep" || WebTools.Has(name);

    private static ModelTool Tool(string name, string description, string schema) =>
        new(name, description, JsonElement.Parse(schema));
}
