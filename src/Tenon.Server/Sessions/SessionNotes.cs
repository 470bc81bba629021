using System.Globalization;
using System.Text;
using Tenon.Server.Memory;
using Tenon.Server.Skills;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// What the model is told of a session beside its agent's own prompt. It comes from the definition alone, which says
/// the same for the session's whole life: a prompt that changes is paid for again.
/// </summary>
public static class SessionNotes
{
    private static readonly string MemoryNote = string.Create(CultureInfo.InvariantCulture,
        $"Memory stores are mounted as directories. What is in them outlives this session: other sessions, now and "
        + $"later, see what you write there, and you see what they write. Look there first for what is already known, "
        + $"and keep there what will be worth knowing. One file is one memory: UTF-8 text of at most "
        + $"{MemoryLimits.ContentBytesMax} bytes; a store has at most {MemoryLimits.MemoriesMax} of them, so prefer "
        + $"many small files to a few large ones. A result says when something was not saved.");

    /// <param name="agent">Who is told: it has those of the session's skills that are its own.</param>
    public static IReadOnlyList<string> Of(SessionDefinition definition, SessionAgent agent)
    {
        var own = agent.Skills.Select(skill => ((string?)skill.SkillId, skill.Version)).ToHashSet();
        var skills = definition.Skills.Where(skill => own.Contains((skill.SkillId, skill.Version))).ToList();
        return [.. new[] { Memory(definition.Memories), Skills(skills) }.OfType<string>()];
    }

    private static string? Skills(List<SessionSkill> skills)
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

    private static string? Memory(IReadOnlyList<MemoryResource> memories)
    {
        if (memories.Count == 0)
        {
            return null;
        }

        var note = new StringBuilder(MemoryNote);
        foreach (var memory in memories)
        {
            var access = memory.Access == MemoryResourceRules.ReadOnly ? "read-only" : "read and write";
            note.Append($"\n\n- {memory.Name}\n  Path: {memory.MountPath}\n  Access: {access}");
            if (memory.Description.Length > 0)
            {
                note.Append($"\n  Description: {memory.Description}");
            }

            if (!string.IsNullOrEmpty(memory.Instructions))
            {
                note.Append($"\n  Instructions: {memory.Instructions}");
            }
        }

        return note.ToString();
    }
}
