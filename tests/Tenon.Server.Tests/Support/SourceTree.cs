using System.Runtime.CompilerServices;

namespace Tenon.Server.Tests.Support;

/// <summary>The repository's own files, for the tests that read them.</summary>
public static class SourceTree
{
    private static readonly string[] BuildFolders = ["obj", "bin", "artifacts", "node_modules", ".git"];

    private static readonly Lazy<IReadOnlyList<SourceFile>> LazyFiles = new(() => [.. Read(new DirectoryInfo(Root!))]);

    public static string Root { get; } = FindRoot();

    /// <summary>Every file but what a build makes.</summary>
    public static IReadOnlyList<SourceFile> Files => LazyFiles.Value;

    /// <summary>Hand-written C#.</summary>
    public static IEnumerable<SourceFile> CSharp => Files.Where(file =>
        file.Path.EndsWith(".cs", StringComparison.Ordinal)
            && !file.Path.Contains("/Migrations/", StringComparison.Ordinal));

    public static IEnumerable<SourceFile> Server => CSharp.Where(file => file.IsUnder("src/Tenon.Server/"));

    private static IEnumerable<SourceFile> Read(DirectoryInfo folder)
    {
        foreach (var file in folder.EnumerateFiles())
        {
            yield return new SourceFile(Path.GetRelativePath(Root, file.FullName));
        }

        foreach (var inner in folder.EnumerateDirectories().Where(inner => !BuildFolders.Contains(inner.Name)))
        {
            foreach (var file in Read(inner))
            {
                yield return file;
            }
        }
    }

    private static string FindRoot([CallerFilePath] string here = "")
    {
        var folder = new FileInfo(here).Directory;
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Tenon.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException($"No Tenon.slnx stands above {here}.");
    }
}

/// <param name="Path">Relative to the root, with slashes.</param>
public sealed record SourceFile(string Path)
{
    private string? _text;
    private string? _code;

    public string Text => _text ??= File.ReadAllText(System.IO.Path.Combine(SourceTree.Root, Path));

    /// <summary>The C# with comments and the insides of strings blanked; every line keeps its number.</summary>
    public string Code => _code ??= CSharpText.Blank(Text);

    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>The concept's folder in the server; empty for files at its root.</summary>
    public string Folder => Path.Split('/') is [_, _, var folder, _, ..] ? folder : "";

    public bool IsUnder(string folder) => Path.StartsWith(folder, StringComparison.Ordinal);

    public override string ToString() => Path;
}
