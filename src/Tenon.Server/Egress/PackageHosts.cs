using Tenon.Server.Environments;

namespace Tenon.Server.Egress;

/// <summary>The hosts of public package managers, read once from <c>package-hosts.txt</c>.</summary>
public static class PackageHosts
{
    public static IReadOnlyList<HostPattern> Public { get; } = Read();

    private static IReadOnlyList<HostPattern> Read()
    {
        using var stream = typeof(PackageHosts).Assembly.GetManifestResourceStream("package-hosts.txt")!;
        using var reader = new StreamReader(stream);
        return [.. reader.ReadToEnd()
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#').Select(HostPattern.Parse)];
    }
}
