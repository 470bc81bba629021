using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Tenon.Hand.Processes;

namespace Tenon.Hand.Tools;

/// <summary>Opens only what is a regular file, without ever waiting for one, and replaces files whole.</summary>
internal static class TextFile
{
    private static readonly int DoNotFollow = RuntimeInformation.ProcessArchitecture == Architecture.Arm64
        ? 0x8000
        : 0x20000;

    /// <summary>Opens a resolved path to read. <paramref name="shown"/> is the path as the model gave it.</summary>
    public static FileStream Open(string tool, string path, string shown)
    {
        if (Directory.Exists(path))
        {
            throw new ToolFault($"{tool}: {shown} is a directory");
        }

        // NOTE: without O_NONBLOCK, a FIFO would hold the tool until someone writes to it.
        var descriptor = Kernel.Open(path, Kernel.NonBlocking | Kernel.CloseOnExec | DoNotFollow, 0);
        if (descriptor < 0)
        {
            throw new ToolFault($"{tool}: {shown}: {Marshal.GetLastPInvokeErrorMessage().ToLowerInvariant()}");
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (Kernel.IsRegularFile(descriptor))
        {
            return new FileStream(handle, FileAccess.Read, 0);
        }

        handle.Dispose();
        throw new ToolFault($"{tool}: {shown} is not a regular file");
    }

    public static byte[] ReadAll(FileStream file)
    {
        var bytes = new byte[file.Length];
        var count = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return count == bytes.Length ? bytes : bytes[..count];
    }

    public static bool IsBinary(ReadOnlySpan<byte> start) =>
        start[..Math.Min(start.Length, ToolLimits.BinaryProbeBytes)].Contains((byte)0);

    /// <summary>Puts the whole content there or nothing, and keeps the mode of a file that it replaces.</summary>
    public static void Replace(string tool, string path, string shown, ReadOnlySpan<byte> content)
    {
        if (Directory.Exists(path))
        {
            throw new ToolFault($"{tool}: {shown} is a directory");
        }

        if (File.Exists(path) && !Kernel.IsRegularFile(path))
        {
            throw new ToolFault($"{tool}: {shown} is not a regular file");
        }

        var parent = Path.GetDirectoryName(path)!;
        var temporary = Path.Combine(parent, $".tenon-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(parent);
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 0))
            {
                file.Write(content);
                if (File.Exists(path))
                {
                    File.SetUnixFileMode(file.SafeFileHandle, File.GetUnixFileMode(path));
                }
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The disk is the outside world: the model reads what it said, and nothing half-written stays.
            File.Delete(temporary);
            throw new ToolFault($"{tool}: {shown}: {Reason(exception)}");
        }
    }

    private static string Reason(Exception exception) => exception switch
    {
        UnauthorizedAccessException => "permission denied",
        _ when exception.HResult == 30 => "the file system is read-only",
        _ when exception.HResult == 28 => "no space left",
        _ => exception.Message,
    };
}
