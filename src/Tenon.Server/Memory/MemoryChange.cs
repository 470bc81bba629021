namespace Tenon.Server.Memory;

/// <summary>Why a change was not made. Nothing of it was.</summary>
public abstract record MemoryRefusal
{
    private MemoryRefusal()
    {
    }

    public sealed record NoStore : MemoryRefusal;

    public sealed record NoMemory : MemoryRefusal;

    public sealed record Archived : MemoryRefusal;

    /// <summary>The store has as many memories as it may have.</summary>
    public sealed record Full : MemoryRefusal;

    /// <summary>The memory is not as the caller expected.</summary>
    public sealed record Changed : MemoryRefusal;

    /// <summary>Another memory has the path, or a part of it, or lies below it.</summary>
    public sealed record Taken(string MemoryId, string Path) : MemoryRefusal;
}

/// <summary>A memory as it is now, and its text unless that was not asked for.</summary>
public sealed record StoredMemory(Storage.MemoryRow Row, byte[]? Content);

/// <summary>What came of a change: the memory, or why not.</summary>
public sealed record MemoryOutcome(StoredMemory? Memory, MemoryRefusal? Refusal)
{
    public static implicit operator MemoryOutcome(MemoryRefusal refusal) => new(null, refusal);
}

/// <summary>What an agent has done to the file of a memory.</summary>
/// <param name="Path">The memory's.</param>
/// <param name="Base">The hash of what the agent's file was made from; null when there was none.</param>
public abstract record MemoryEdit(string Path, string? Base)
{
    public sealed record Write(string Path, string? Base, byte[] Content) : MemoryEdit(Path, Base);

    /// <param name="To">Its new path.</param>
    /// <param name="Content">The same as before, for when the memory is another one by now.</param>
    public sealed record Move(string Path, string Base, string To, byte[] Content) : MemoryEdit(Path, Base);

    public sealed record Delete(string Path, string Base) : MemoryEdit(Path, Base);
}
