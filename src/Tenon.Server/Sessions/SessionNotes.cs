using System.Text;
using Tenon.Server.Skills;

namespace Tenon.Server.Sessions;

/// <summary>
/// What the model is told of a session beside its agent's own prompt. It comes from the definition alone, which says
/// the same for the session's whole life: a prompt that changes is paid for again.
/// </summary>
public static class SessionNotes
{
    public static IReadOnlyList<string> Of(SessionDefinition definition) =>
        [.. new[] { Skills(definition.Skills) }.OfType<string>()];

    private static string? Skills(IReadOnlyList<SessionSkill> skills)
    {
        if (skills.Count == 0)
        {
            return null;
        }

        var note = new StringBuilder(
            "You have skills: folders with instructions, and often scripts, for particular kinds of task. Before you "
            + $"begin a task that one of them is for, read its {SkillManifest.FileName} with the read tool, and follow "
            + "it. Paths in it are relative to the skill's folder, which you cannot write to. The skills:");
        return note.AppendJoin("", skills.Select(Line)).ToString();
    }

    /// <summary>What the model is told of skills that a repository of its session has; null when it has none.</summary>
    public static string? Found(IReadOnlyList<SessionSkill> skills) => skills.Count == 0 ? null
        : "It has skills. Before you begin a task that one of them is for, read its "
            + $"{SkillManifest.FileName} and follow it:{string.Concat(skills.Select(Line))}";

    private static string Line(SessionSkill skill) =>
        $"\n- {skill.Name} ({skill.Path}/{SkillManifest.FileName}): {OneLine(skill.Description)}";

    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
