namespace Tenon.Server.Sandboxes;

/// <summary>The drivers there are, by name.</summary>
internal static class SandboxDrivers
{
    private static readonly Dictionary<string, Make> Known = new(StringComparer.Ordinal)
    {
        [BubblewrapDriver.Kind] = (options, files, time) => new BubblewrapDriver(options, files, time),
        [OciDriver.Kind] = (options, files, time) => new OciDriver(options, files, time),
    };

    private delegate ISandboxDriver Make(SandboxOptions options, SandboxFiles files, TimeProvider time);

    /// <summary>What the setting may say.</summary>
    public static IReadOnlyCollection<string> Kinds => Known.Keys;

    public static ISandboxDriver Of(SandboxOptions options, SandboxFiles files, TimeProvider time) =>
        Known[options.Driver](options, files, time);

    /// <summary>
    /// The driver that started a sandbox, by the name it had then; null when there is none of that name.
    /// </summary>
    public static ISandboxDriver? Named(string name, SandboxOptions options, SandboxFiles files, TimeProvider time) =>
        name.Split(':', 2) switch
        {
            [OciDriver.Kind, var runtime] => new OciDriver(options with { OciRuntime = runtime }, files, time),
            [BubblewrapDriver.Kind] => new BubblewrapDriver(options, files, time),
            _ => null,
        };
}
