namespace Tenon.Server.Memory;

/// <summary>What a memory and a store may be (api B.8), and for how long the past is kept.</summary>
public static class MemoryLimits
{
    public const int ContentBytesMax = 102_400;

    public const int PathBytesMax = 1_024;

    public const int SegmentsMax = 20;

    /// <summary>Memories of one store.</summary>
    public const int MemoriesMax = 2_000;

    /// <summary>A version is kept for so long at least.</summary>
    public static TimeSpan VersionsKept { get; } = TimeSpan.FromDays(30);

    /// <summary>
    /// The newest versions of a memory that lives are kept whatever their age: enough to see how it came to be, and to
    /// go back.
    /// </summary>
    public const int VersionsAlwaysKept = 10;
}
