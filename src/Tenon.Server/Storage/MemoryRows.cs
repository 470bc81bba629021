using Microsoft.EntityFrameworkCore;

namespace Tenon.Server.Storage;

/// <summary>A memory store, as wire JSON.</summary>
public sealed class MemoryStoreRow
{
    public required string Id { get; init; }

    public required long CreatedAt { get; init; }

    public long? ArchivedAt { get; set; }

    /// <summary>
    /// Counts the changes of its memories. Whoever changes one counts first, which lets one writer at a time into a
    /// store, on every database.
    /// </summary>
    public required long Revision { get; set; }

    public required string Body { get; set; }
}

/// <summary>A memory that is there. Its text is that of its version.</summary>
public sealed class MemoryRow
{
    public required string Id { get; init; }

    public required string StoreId { get; init; }

    public required string Path { get; set; }

    public required string VersionId { get; set; }

    public required long Size { get; set; }

    public required string Sha256 { get; set; }

    public required long CreatedAt { get; init; }

    public required long UpdatedAt { get; set; }
}

/// <summary>A change of a memory.</summary>
public sealed class MemoryVersionRow
{
    public required string Id { get; init; }

    public required string StoreId { get; init; }

    public required string MemoryId { get; init; }

    public required string Operation { get; init; }

    public required long CreatedAt { get; init; }

    /// <summary>The wire's kind of actor, and its id.</summary>
    public required string ActorType { get; init; }

    public required string ActorId { get; init; }

    public long? RedactedAt { get; set; }

    public string? RedactedType { get; set; }

    public string? RedactedId { get; set; }

    public long? Size { get; set; }

    public string? Sha256 { get; set; }

    public string? Path { get; set; }

    /// <summary>Bytes, because a text may hold U+0000, which PostgreSQL has no text with. The last column, so that
    /// what looks at the others reads none of it.</summary>
    public byte[]? Content { get; set; }
}

/// <summary>That a session has a store. It is written before the session, and without one it means nothing.</summary>
public sealed class SessionMemoryRow
{
    public required string SessionId { get; init; }

    public required string StoreId { get; init; }
}

internal static class MemoryRows
{
    public static void Map(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<MemoryStoreRow>().ToTable("memory_store").HasKey(row => row.Id);
        var memory = modelBuilder.Entity<MemoryRow>().ToTable("memory");
        memory.HasKey(row => row.Id);
        memory.HasIndex(row => new { row.StoreId, row.Path }).IsUnique();

        var version = modelBuilder.Entity<MemoryVersionRow>().ToTable("memory_version");
        version.HasKey(row => row.Id);
        version.HasIndex(row => new { row.StoreId, row.Id });

        // All that the sweep of old versions looks at.
        version.HasIndex(row => new { row.MemoryId, row.Id, row.CreatedAt });

        var attached = modelBuilder.Entity<SessionMemoryRow>().ToTable("session_memory");
        attached.HasKey(row => new { row.SessionId, row.StoreId });
        attached.HasIndex(row => row.StoreId);
    }
}
