using System.Diagnostics;
using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Wire.Content;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// A folder of its own with a copy of an example, and the tools bash, read, write and edit that act in it.
/// </summary>
public sealed class SampleRepository : IDisposable
{
    public static readonly IReadOnlyList<ModelTool> Tools =
        [.. new[] { "bash", "read", "write", "edit" }.Select(ModelRun.Tool)];

    public SampleRepository()
    {
        Directory.CreateDirectory(Root);
    }

    public string Root { get; } = Path.Combine(Path.GetTempPath(), "tenon-" + Path.GetRandomFileName());

    /// <summary>Copies <c>examples/<paramref name="example"/></c> into <paramref name="folder"/> of this one.</summary>
    public void Copy(string example, string folder)
    {
        var target = Directory.CreateDirectory(Path.Combine(Root, folder)).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(SourceRoot(), "examples", example)))
        {
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        }
    }

    public string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>Does what the call asks and answers it, as the tools of a sandbox would.</summary>
    public ModelToolResult Run(ModelToolUse call)
    {
        var input = call.Input;
        try
        {
            return call.Name switch
            {
                "bash" => Bash(call.Id, Field(input, "command")),
                "read" => Answer(call.Id, File.ReadAllText(Inside(input))),
                "write" => Write(call.Id, Inside(input), Field(input, "content")),
                "edit" => Edit(call.Id, Inside(input), Field(input, "old_string"), Field(input, "new_string")),
                _ => Answer(call.Id, $"no such tool: {call.Name}", isError: true),
            };
        }
        catch (IOException exception)
        {
            // A tool's failure is a result that the model reads.
            return Answer(call.Id, exception.Message, isError: true);
        }
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private static ModelToolResult Answer(string id, string text, bool isError = false) =>
        new(id, [ContentBlock.Of(text)], isError);

    private static string Field(JsonElement input, string name) => input.GetProperty(name).GetString()!;

    private static string SourceRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Tenon.slnx")))
        {
            folder = Path.GetDirectoryName(folder.TrimEnd('/'))!;
        }

        return folder;
    }

    private string Inside(JsonElement input) => Path.Combine(Root, Field(input, "file_path"));

    private ModelToolResult Bash(string id, string command)
    {
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", command])
        {
            WorkingDirectory = Root,
            RedirectStandardOutput = true,
        })!;
        var output = bash.StandardOutput.ReadToEnd();
        bash.WaitForExit();
        return Answer(id, output, bash.ExitCode != 0);
    }

    private static ModelToolResult Write(string id, string path, string content)
    {
        File.WriteAllText(path, content);
        return Answer(id, $"wrote {content.Length} bytes to {path}");
    }

    private static ModelToolResult Edit(string id, string path, string old, string replacement)
    {
        var parts = File.ReadAllText(path).Split(old);
        if (parts.Length != 2)
        {
            return Answer(id, $"found {parts.Length - 1} times", isError: true);
        }

        File.WriteAllText(path, string.Join(replacement, parts));
        return Answer(id, $"edited {path} (1 replacement(s))");
    }
}
