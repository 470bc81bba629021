namespace Tenon.Server.Sandboxes;

/// <summary>What a session's sandbox has beyond the base that all share.</summary>
internal sealed record SandboxLayer
{
    public static SandboxLayer None { get; } = new();

    /// <summary>Made after those of the base and of the session.</summary>
    public IReadOnlyList<SandboxMount> Mounts { get; init; } = [];

    /// <summary>Where the session's workspace is found as well; null for nowhere else.</summary>
    public string? WorkspaceAlsoAt { get; init; }

    /// <summary>Directories of programs, searched before the base's.</summary>
    public IReadOnlyList<string> Programs { get; init; } = [];

    public IReadOnlyList<(string Name, string Value)> Variables { get; init; } = [];

    /// <summary>The memory stores that are mounted.</summary>
    public IReadOnlyList<SandboxMemory> Memories { get; init; } = [];
}

/// <summary>A memory store in a sandbox.</summary>
/// <param name="Path">Where it is inside.</param>
internal sealed record SandboxMemory(string StoreId, string Path, bool IsWritable);

/// <summary>How the files of memory stores are kept the same as the stores.</summary>
/// <param name="Place">
/// Before a life begins: makes the files what the stores have. Throws a <see cref="SandboxException"/> when it cannot.
/// </param>
/// <param name="Leave">When it has ended: takes what is new in the files, and forgets the session.</param>
internal sealed record MemoryPlaces(
    Func<SandboxFolder, IReadOnlyList<SandboxMemory>, CancellationToken, Task> Place, Func<SandboxFolder, Task> Leave);

/// <summary>The layer of a session, once it is there.</summary>
/// <exception cref="SandboxException">It cannot be made; the message says why.</exception>
internal delegate Task<SandboxLayer> LayerOf(string sessionId, CancellationToken cancellationToken);
