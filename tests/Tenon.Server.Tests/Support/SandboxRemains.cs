using System.Collections;
using Tenon.Server.Configuration;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// What servers leave on purpose when they stop: sandboxes that live, and their disks. A test that is over wants none
/// of it, and its folder may only go when nothing is mounted in it.
/// </summary>
public static class SandboxRemains
{
    /// <summary>Ends every sandbox of a data folder, and deletes their files wherever they are.</summary>
    public static async Task Clear(string data)
    {
        var options = SettingsReader.Read(["--data", data], new Hashtable()).Sandbox;
        await using var provider = new SandboxProvider(options, TimeProvider.System);
        await provider.Reap(_ => ValueTask.FromResult(false), CancellationToken.None);
        await provider.DisposeAsync();
        if (Directory.Exists(provider.Root))
        {
            Directory.Delete(provider.Root, recursive: true);
        }
    }
}
