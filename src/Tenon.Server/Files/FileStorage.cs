namespace Tenon.Server.Files;

/// <summary>What the operator has set for files.</summary>
public sealed record FileStorage
{
    /// <summary>The documented size of one file.</summary>
    public const long DefaultBytesMax = 500L * 1024 * 1024;

    /// <summary>The size of one file, uploaded or left by an agent.</summary>
    public long BytesMax { get; init; } = DefaultBytesMax;

    /// <summary>Where blobs are when they are in S3; null keeps them in the data folder.</summary>
    public S3Place? S3 { get; init; }
}

/// <summary>A place in S3, or in what speaks its protocol, and how to get in.</summary>
public sealed record S3Place
{
    public required string Bucket { get; init; }

    /// <summary>What every key begins with; other objects of the bucket are never touched.</summary>
    public required string Prefix { get; init; }

    public required string Region { get; init; }

    /// <summary>Another service than Amazon's, by its URL, with the bucket in the path; null is Amazon's.</summary>
    public Uri? Endpoint { get; init; }

    public required string AccessKeyId { get; init; }

    public required string SecretAccessKey { get; init; }

    /// <summary>Of credentials that last for a while; null when they have none.</summary>
    public string? SessionToken { get; init; }

    /// <summary>How much of what was uploaded, or given to sandboxes, is kept on this machine too.</summary>
    public required long CacheBytesMax { get; init; }

    public string KeyOf(string name) => Prefix + name;

    /// <summary>Without the secrets, so that printing a configuration shows none.</summary>
    public override string ToString() => $"the bucket {Bucket}/{Prefix} at {Endpoint?.ToString() ?? Region}";
}
