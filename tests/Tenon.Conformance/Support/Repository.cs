using System.Runtime.InteropServices;

namespace Tenon.Conformance.Support;

/// <summary>Where things stand in this repository.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>The built server. The tests know of it only that it can be started.</summary>
    public static string ServerDll { get; } = PathTo(
        $"artifacts/publish/Tenon.Server/release_{Rid}/Tenon.Server.dll");

    private static string Rid => RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64";

    /// <summary>The host that runs these tests: another one on the path may be of another version.</summary>
    public static string Dotnet { get; } =
        Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet"));

    public static string PathTo(string relative) => Path.Combine(Root, relative);

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Tenon.slnx")))
        {
            folder = Path.GetDirectoryName(folder.TrimEnd('/'))
                ?? throw new InvalidOperationException("These tests run from inside the repository.");
        }

        return folder;
    }
}
