using System.Text;
using Tenon.Server.Http;

namespace Tenon.Server.Skills;

/// <summary>What an upload must be to become a skill (api B.11): its paths, its one folder, its manifest.</summary>
public static class SkillBundleRules
{
    /// <summary>The documented size of a skill, all files together.</summary>
    public const int BytesMax = 30 * 1024 * 1024;

    /// <summary>Files of one skill: the official worker lists at most a megabyte of names.</summary>
    public const int FilesMax = 1_000;

    private const int DepthMax = 16;
    private const int PathBytesMax = 512;

    /// <summary>What a name may have on Linux.</summary>
    private const int NameBytesMax = 255;

    /// <exception cref="ApiException">400: what is wrong, with the file.</exception>
    public static SkillBundle Check(IReadOnlyList<SkillFile> uploaded)
    {
        var files = Unwrap(uploaded.Select(file => file with { Path = Normal(file.Path) })
            .Where(file => !IsLeftover(file.Path)).ToList(), out var folder);
        CheckPaths(files);
        var manifest = SkillManifest.Parse(
            files.Single(file => file.Path == SkillManifest.FileName).Content, out var problem);
        if (manifest is null)
        {
            throw Invalid(SkillManifest.FileName, problem);
        }

        var name = manifest.Name ?? folder
            ?? throw Invalid(SkillManifest.FileName, "the name is missing.");
        Refuse($"the name '{Shown(name)}'", SkillManifest.ProblemOfName(name));
        Refuse("the description", SkillManifest.ProblemOfDescription(manifest.Description));
        return new SkillBundle(name, manifest.Description!, files);

        static void Refuse(string what, string? problem)
        {
            if (problem is not null)
            {
                throw Invalid(SkillManifest.FileName, $"{what} {problem}");
            }
        }
    }

    private static ApiException Invalid(string file, string message) =>
        ApiException.Invalid("files", $"{file}: {message}");

    // A backslash is a name's own character on Linux, and a separator where many archives are made.
    private static string Normal(string path)
    {
        var normal = path.Replace('\\', '/');
        return normal.StartsWith("./", StringComparison.Ordinal) ? normal[2..] : normal;
    }

    /// <summary>What the file managers of other systems put beside the files.</summary>
    private static bool IsLeftover(string path) =>
        path.StartsWith("__MACOSX/", StringComparison.Ordinal)
        || path.EndsWith("/.DS_Store", StringComparison.Ordinal) || path == ".DS_Store";

    /// <summary>The files below the one folder that has them all, or as they are when the manifest is at the top.
    /// </summary>
    private static IReadOnlyList<SkillFile> Unwrap(IReadOnlyList<SkillFile> files, out string? folder)
    {
        foreach (var file in files)
        {
            CheckPath(file.Path);
        }

        folder = null;
        if (files.Any(file => file.Path == SkillManifest.FileName))
        {
            return files;
        }

        var tops = files.Select(file => file.Path.Split('/')[0]).ToHashSet(StringComparer.Ordinal);
        if (tops.Count == 1 && files.Any(file => file.Path == $"{tops.Single()}/{SkillManifest.FileName}"))
        {
            folder = tops.Single();
            var below = folder.Length + 1;
            return [.. files.Select(file => file with { Path = file.Path[below..] })];
        }

        throw ApiException.Invalid("files", tops.Count > 1
            ? "all files must be in one folder, with SKILL.md at its top."
            : "there is no SKILL.md at the top of the folder (its name is in capital letters).");
    }

    private static void CheckPath(string path)
    {
        var problem = path.Split('/') is var names && path.StartsWith('/') || path is [_, ':', ..]
                ? "is absolute; paths must be below the skill's folder."
            : names.Contains("..") ? "leads out of the skill's folder."
            : names.Any(name => name is "" or ".") ? "is not a plain path."
            : path.Any(char.IsControl) || !SkillManifest.IsText(path) ? "has characters that are no text."
            : names.Length > DepthMax ? $"is more than {DepthMax} folders deep."
            : Encoding.UTF8.GetByteCount(path) > PathBytesMax
                || names.Any(name => Encoding.UTF8.GetByteCount(name) > NameBytesMax)
                ? $"is too long: {PathBytesMax} bytes, and {NameBytesMax} each name, are allowed."
            : null;
        if (problem is not null)
        {
            throw ApiException.Invalid("files", $"the path '{Shown(path)}' {problem}");
        }
    }

    /// <summary>
    /// Refuses paths of which some file systems, or people, would make one: the client would not get what it sent.
    /// </summary>
    private static void CheckPaths(IReadOnlyList<SkillFile> files)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            if (!seen.Add(Folded(file.Path)))
            {
                throw ApiException.Invalid("files",
                    $"the path '{Shown(file.Path)}' is there twice, or in capital and in small letters.");
            }
        }

        foreach (var path in files.Select(file => file.Path))
        {
            for (var slash = path.IndexOf('/'); slash > 0; slash = path.IndexOf('/', slash + 1))
            {
                if (seen.Contains(Folded(path[..slash])))
                {
                    throw ApiException.Invalid("files", $"'{Shown(path[..slash])}' is a file and a folder.");
                }
            }
        }
    }

    private static string Folded(string path) => path.Normalize(NormalizationForm.FormC).ToUpperInvariant();

    private static string Shown(string text)
    {
        const int CharsMax = 100;
        var clean = string.Concat(text.Take(CharsMax).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return text.Length > CharsMax ? clean + "…" : clean;
    }
}
