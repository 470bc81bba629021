using System.Globalization;
using System.Text;
using Tenon.Server.Memory;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// What the model is told of a session beside its agent's prompt. It is made of the session's definition alone, which
/// keeps the words as they were at its creation: so every request of the session begins with the same bytes.
/// </summary>
internal static class SessionNotes
{
    private static readonly string MemoryNote = string.Create(CultureInfo.InvariantCulture,
        $"Memory stores are mounted as directories. What is in them outlives this session: other sessions, now and "
        + $"later, see what you write there, and you see what they write. Look there first for what is already known, "
        + $"and keep there what will be worth knowing. One file is one memory: UTF-8 text of at most "
        + $"{MemoryLimits.ContentBytesMax} bytes; a store has at most {MemoryLimits.MemoriesMax} of them, so prefer many "
        + $"small files to a few large ones. A result says when something was not saved.");

    public static IReadOnlyList<string> Of(SessionDefinition definition) =>
        definition.Memories.Count == 0 ? [] : [Memory(definition.Memories)];

    private static string Memory(IReadOnlyList<MemoryResource> memories)
    {
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
