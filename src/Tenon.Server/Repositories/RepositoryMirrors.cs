using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tenon.Server.Egress;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Wire.Content;

namespace Tenon.Server.Repositories;

/// <summary>
/// A mirror of every repository that sessions have, so that the next session copies what is here and fetches only what
/// is new. A sandbox of its own fetches, which reaches that one host and has no token inside; sessions see the mirror
/// read-only.
/// </summary>
/// <remarks>
/// Every session fetches with its own token before it copies: a mirror gives nobody what the host does not.
/// </remarks>
internal sealed partial class RepositoryMirrors(
    SandboxProvider sandboxes, MirrorAccess access, EgressAuthority authority, TimeProvider clock,
    ILogger<RepositoryMirrors> logger) : IDisposable
{
    /// <summary>Where mirrors are in sessions' sandboxes.</summary>
    private const string Inside = "/run/tenon/repositories/";

    /// <summary>Stands beside a mirror; its time is that of its last use.</summary>
    private const string Marker = ".used";

    private const uint WalkOnly = 0x1C9; // 0711
    private const int NameDigits = 32;

    /// <summary>A large history takes minutes on a slow line; a fetch that takes longer hangs.</summary>
    private static readonly TimeSpan FetchTime = TimeSpan.FromMinutes(20);

    /// <summary>A mirror that no session has asked for so long is deleted.</summary>
    private static readonly TimeSpan UnusedTime = TimeSpan.FromDays(30);

    private readonly StripedLock _turns = new();

    private string Folder => Path.Combine(sandboxes.Root, ".mirrors");

    /// <summary>What the sandbox that fetches has: the mirror, to write to.</summary>
    public SandboxLayer Builder(string name) => new()
    {
        Mounts = [new SandboxMount.Bind(Ensure(name), GitScripts.Mirror) { IsWritable = true }],
    };

    /// <summary>The mirror as sessions see it, which may still be empty.</summary>
    public SandboxMount MountOf(RepositoryUrl url) => new SandboxMount.Bind(Ensure(NameOf(url)), PathOf(url));

    /// <summary>Where it is inside.</summary>
    public string PathOf(RepositoryUrl url) => Inside + NameOf(url);

    /// <summary>Brings the mirror up to date, by a token that the host must take. Null when that worked.</summary>
    /// <param name="sha">A commit that must be there too.</param>
    /// <exception cref="SandboxException">There is no sandbox to fetch in.</exception>
    public async Task<RepositoryFault?> Update(
        RepositoryUrl url, string? token, string? sha, CancellationToken cancellationToken)
    {
        var name = NameOf(url);
        using var turn = await _turns.Enter(name, cancellationToken);
        Collect();
        access.Give(name, url, token);
        try
        {
            await sandboxes.Destroy(name, cancellationToken);
            var sandbox = await sandboxes.Open(name, cancellationToken);
            Own(name);
            var output = await sandbox.Call(
                new SandboxCall("fetch", "bash", JsonSerializer.SerializeToElement(new Dictionary<string, object>
                {
                    ["command"] = GitScripts.Fetch(url, sha, token is not null),
                    ["timeout_ms"] = (int)FetchTime.TotalMilliseconds,
                })),
                cancellationToken);
            if (!output.IsError)
            {
                return null;
            }

            var fault = RepositoryFault.OfFetch(Text(output), token is not null);
            LogFailed(url.Text, fault.Type, fault.Message);
            return fault;
        }
        finally
        {
            access.Take(name);
            await sandboxes.Destroy(name, CancellationToken.None);
        }
    }

    public static string Text(ToolOutput output) =>
        string.Concat(output.Content.OfType<TextBlock>().Select(block => block.Text)).Trim();

    public void Dispose() => _turns.Dispose();

    // Nobody who walks the folder by guesses finds a repository by its address.
    private string NameOf(RepositoryUrl url) => MirrorAccess.NameOf(Convert.ToHexStringLower(
        HMACSHA256.HashData(authority.PlaceholderKey, Encoding.UTF8.GetBytes("mirror\n" + url.Text)))[..NameDigits]);

    private string Ensure(string name)
    {
        Directory.CreateDirectory(Folder);
        LinuxCalls.Mode(Folder, WalkOnly);
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(path);
        File.WriteAllText(path + Marker, "");
        return path;
    }

    // Each life has another uid; what the one before has fetched becomes its own.
    private void Own(string name)
    {
        if (sandboxes.FolderOf(name).ReadRecord() is { Uid: { } uid })
        {
            SystemProgram.RunOrThrow("chown", "-hR", $"{uid}:{uid}", "--", Path.Combine(Folder, name));
        }
    }

    private void Collect()
    {
        var oldest = (clock.GetUtcNow() - UnusedTime).UtcDateTime;
        var unused = Directory.Exists(Folder)
            ? Directory.EnumerateFiles(Folder, "*" + Marker)
                .Where(path => File.GetLastWriteTimeUtc(path) < oldest).ToList() : [];
        foreach (var marker in unused)
        {
            File.Delete(marker);
            SystemProgram.Run("rm", "-rf", "--one-file-system", "--", marker[..^Marker.Length]);
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Url} was not fetched ({Type}): {Reason}")]
    private partial void LogFailed(string url, string type, string reason);
}
