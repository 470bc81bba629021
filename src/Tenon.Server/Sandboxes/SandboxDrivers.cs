namespace Tenon.Server.Sandboxes;

/// <summary>The drivers there are, by name.</summary>
internal static class SandboxDrivers
{
    private static readonly Dictionary<string, Make> Known = new(StringComparer.Ordinal)
    {
        ["bubblewrap"] = (options, files, time) => new BubblewrapDriver(options, files, time),
    };

    private delegate ISandboxDriver Make(SandboxOptions options, SandboxFiles files, TimeProvider time);

    public static ISandboxDriver Of(SandboxOptions options, SandboxFiles files, TimeProvider time) =>
        Known[options.Driver](options, files, time);
}
