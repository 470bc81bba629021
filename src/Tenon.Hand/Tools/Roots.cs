using System.Runtime.InteropServices;
using System.Text;
using Tenon.Hand.Processes;

namespace Tenon.Hand.Tools;

/// <summary>
/// Which paths the file tools may touch. The sandbox is what confines; this gives a plain answer in place of the
/// kernel's, and keeps a model from taking the system's own files for the user's.
/// </summary>
internal static unsafe class Roots
{
    public const string Workspace = "/workspace";

    private const int LinksMax = 40;
    private const int PathBytesMax = 4096;
    private const int NoSuchFile = 2;

    // `/uploads` and `/outputs` are links into `/mnt/session`, and are followed before the check.
    private static readonly string[] Allowed =
        [Workspace, "/mnt/session", "/mnt/memory", "/mnt/skills", "/tmp", ShellEnvironment.Home];

    /// <summary>The path without links, also when its end does not exist yet.</summary>
    public static string Resolve(string tool, string path)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new ToolFault($"{tool}: a path cannot contain a NUL character");
        }

        if (Encoding.UTF8.GetByteCount(path) >= PathBytesMax)
        {
            throw new ToolFault($"{tool}: the path is longer than {PathBytesMax - 1} bytes");
        }

        var resolved = Real(tool, path.StartsWith('/') ? path : $"{Workspace}/{path}", LinksMax);
        return Allowed.Any(root => IsWithin(root, resolved))
            ? resolved
            : throw new ToolFault(
                $"{tool}: {path} is outside the directories this tool may use: {Workspace}, /uploads, /outputs, "
                + $"/mnt/memory, /mnt/skills, /tmp and {ShellEnvironment.Home}");
    }

    public static bool IsWithin(string root, string path) =>
        path == root || (path.StartsWith(root, StringComparison.Ordinal) && path[root.Length] == '/');

    private static string Real(string tool, string path, int linksLeft)
    {
        if (KernelReal(path) is { } real)
        {
            return real;
        }

        if (Marshal.GetLastPInvokeError() is not NoSuchFile and var error)
        {
            throw new ToolFault($"{tool}: {path}: {Marshal.GetPInvokeErrorMessage(error).ToLowerInvariant()}");
        }

        var trimmed = path.TrimEnd('/');
        var slash = trimmed.LastIndexOf('/');
        var name = trimmed[(slash + 1)..];
        if (slash < 0 || name is ".." or "." or "" || linksLeft == 0)
        {
            throw new ToolFault($"{tool}: {path} cannot be resolved");
        }

        var parent = Real(tool, slash == 0 ? "/" : trimmed[..slash], linksLeft);
        var full = parent == "/" ? "/" + name : $"{parent}/{name}";
        return new FileInfo(full).LinkTarget is { } target
            ? Real(tool, target.StartsWith('/') ? target : $"{parent}/{target}", linksLeft - 1)
            : full;
    }

    private static string? KernelReal(string path)
    {
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + '\0'))
        {
            var real = Kernel.RealPath(bytes, null);
            if (real is null)
            {
                return null;
            }

            var text = Marshal.PtrToStringUTF8((nint)real);
            Kernel.Free(real);
            return text;
        }
    }
}
