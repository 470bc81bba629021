using Microsoft.Win32.SafeHandles;
using Tenon.Server.Sandboxes;
using Tenon.Server.Skills;

namespace Tenon.Server.Sessions;

/// <summary>
/// Finds the skills of a repository: <c>.claude/skills/NAME/SKILL.md</c> at its root, exactly one folder deep (api
/// F.1). A session looks once, when its working copy is made, and its model is told with that.
/// </summary>
/// <remarks>
/// Whoever made the repository, or used the workspace before, is not trusted. Every step opens one name in a directory
/// that is already open and follows no link, so that no other file of the host is read; and what is no sound skill is
/// left out.
/// </remarks>
public static class RepositorySkills
{
    /// <summary>Skills of one repository. Each adds its description to every request.</summary>
    public const int SkillsMax = 100;

    /// <summary>Names in the folder that are looked at.</summary>
    private const int NamesMax = 1_000;

    /// <summary>Only what stands before the instructions is read, but all of a file must be in bounds.</summary>
    private const int ManifestBytesMax = 1024 * 1024;

    /// <summary>In the order of their folders' names.</summary>
    /// <param name="workspace">The session's workspace on this machine.</param>
    /// <param name="mountPath">The repository's root in the sandbox: below <c>/workspace</c>.</param>
    public static IReadOnlyList<SessionSkill> Find(string workspace, string mountPath)
    {
        var folder = LinuxCalls.OpenBeneath(workspace);
        foreach (var name in mountPath.Split('/')[2..].Concat([".claude", "skills"]))
        {
            var inside = Enter(folder, name);
            folder?.Dispose();
            folder = inside;
        }

        using (folder)
        {
            return folder is null ? [] : [.. NamesIn(folder).Select(name => Describe(folder, name, mountPath))
                .OfType<SessionSkill>().Take(SkillsMax)];
        }
    }

    private static SessionSkill? Describe(
        SafeFileHandle folder, string name, string mountPath)
    {
        using var skill = Enter(folder, name);
        using var file = Open(skill, SkillManifest.FileName);
        if (file is null || LinuxCalls.Status(file) is not { IsRegular: true, Size: <= ManifestBytesMax } status)
        {
            return null;
        }

        var content = new byte[status.Size];
        var count = RandomAccess.Read(file, content, 0);
        var manifest = SkillManifest.Parse(content.AsSpan(0, count), out _);
        var called = manifest?.Name ?? name;
        return manifest is not null && !name.Any(char.IsControl) && SkillManifest.ProblemOfName(called) is null
            && SkillManifest.ProblemOfDescription(manifest.Description) is null
            ? new SessionSkill
            {
                Name = called, Description = manifest.Description!, Path = $"{mountPath}/.claude/skills/{name}",
            }
            : null;
    }

    // A list, because the folder may change, or go, at any step of an open enumeration.
    private static IReadOnlyList<string> NamesIn(SafeFileHandle folder)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(PathOf(folder)).Take(NamesMax)
                .Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It went meanwhile, or its owner shut it: then there is nothing to find.
            return [];
        }
    }

    private static SafeFileHandle? Enter(
        SafeFileHandle? directory, string name)
    {
        var entered = Open(directory, name);
        if (entered is null || LinuxCalls.Status(entered) is { IsDirectory: true })
        {
            return entered;
        }

        entered.Dispose();
        return null;
    }

    private static SafeFileHandle? Open(
        SafeFileHandle? directory, string name) =>
        directory is null ? null : LinuxCalls.OpenBeneath(PathOf(directory) + name);

    private static string PathOf(SafeFileHandle directory) =>
        $"/proc/self/fd/{(int)directory.DangerousGetHandle()}/";
}
