using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Where a session's memory stores are as files: a directory for each, which the sandbox has below
/// <c>/mnt/memory</c>, and beside it what the server knows of that directory, which the sandbox has not.
/// </summary>
/// <remarks>
/// Both are on the session's disk, so that they have its bounds and go with it. All names are looked up from the
/// opened folder: when the disk is taken away meanwhile, nothing is written to the place below it.
/// </remarks>
internal sealed class MemoryFolder : IDisposable
{
    private const string StateSuffix = ".json";
    private const string PartSuffix = ".part";
    private const uint OwnerOnly = 0x180; // 0600

    private readonly SafeFileHandle _root;
    private readonly string _path;

    private MemoryFolder(SafeFileHandle root, string path, int? uid) => (_root, _path, Uid) = (root, path, uid);

    /// <summary>Who the files belong to; null for the server itself.</summary>
    public int? Uid { get; }

    /// <summary>The folder of a session; null when it has none, or its disk is away.</summary>
    public static MemoryFolder? Open(SandboxFolder folder) =>
        folder.ReadRecord() is { } record && LinuxCalls.OpenBeneath(folder.Memory) is { } root
            ? new MemoryFolder(root, folder.Memory, record.Uid) : null;

    /// <summary>The same, made when it is not there. The session's files must be mounted, and stay so.</summary>
    public static MemoryFolder Make(SandboxFolder folder)
    {
        Directory.CreateDirectory(folder.Memory);
        LinuxCalls.Mode(folder.Memory, SandboxFiles.WalkOnly);
        return Open(folder) ?? throw new IOException($"{folder.Memory} cannot be opened.");
    }

    /// <summary>The directory of a store, as the sandbox's mount has it as its source.</summary>
    public static string DirectoryOf(SandboxFolder folder, string storeId) => Path.Combine(folder.Memory, storeId);

    /// <summary>What is in the directory of a store; null when there is none.</summary>
    public MemoryTree? Tree(string storeId) => LinuxTree.OpenDirectory(_root, storeId) is { } directory
        ? new MemoryTree(directory, _root, storeId + PartSuffix, Uid) : null;

    /// <summary>
    /// Makes the directory of a store empty, and forgets what was known of it. No sandbox may have it mounted.
    /// </summary>
    public void Reset(string storeId)
    {
        LinuxTree.RemoveFile(_root, storeId + StateSuffix);
        var directory = Path.Combine(_path, storeId);
        SystemProgram.RunOrThrow("rm", "-rf", "--one-file-system", "--", directory);
        Directory.CreateDirectory(directory);
        LinuxCalls.Mode(directory, SandboxFiles.Private);
        if (Uid is { } owner)
        {
            LinuxCalls.Own(directory, owner);
        }
    }

    public byte[]? ReadState(string storeId)
    {
        using var file = LinuxCalls.OpenBeneath(LinuxTree.Below(_root, storeId + StateSuffix));
        if (file is null)
        {
            return null;
        }

        var bytes = new byte[RandomAccess.GetLength(file)];
        return RandomAccess.Read(file, bytes, 0) == bytes.Length ? bytes : null;
    }

    public void WriteState(string storeId, ReadOnlySpan<byte> state)
    {
        var part = LinuxTree.Below(_root, storeId + StateSuffix + PartSuffix);
        using (var file = File.OpenHandle(part, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(file, state, 0);
        }

        LinuxCalls.Mode(part, OwnerOnly);
        File.Move(part, LinuxTree.Below(_root, storeId + StateSuffix), overwrite: true);
    }

    public void Dispose() => _root.Dispose();
}
