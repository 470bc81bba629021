namespace Tenon.Server.Tests.Support;

/// <summary>A folder of a test's own, gone when the test is over.</summary>
public sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("tenon-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
