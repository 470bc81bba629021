using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Starts a program with exactly the descriptors it is given: the given ones under the numbers 0, 1, 2, 3 …, and no
/// other. It gets a session of its own, so that Ctrl-C at the server's terminal does not reach it.
/// </summary>
/// <remarks>
/// The platform's own <c>Process</c> cannot pass descriptors beyond 2. <c>posix_spawn</c> does not copy the server's
/// memory maps, so a start costs the same however much memory the server has.
/// </remarks>
internal static unsafe partial class ChildProcess
{
    // Both opaque structures of glibc are smaller (80 and 336 bytes).
    private const int OpaqueBytes = 512;
    private const int SignalSetBytes = 128;
    private const short NewSessionSignalsAndMask = 0x80 | 0x04 | 0x08;

    /// <returns>The pid, or the negated error number.</returns>
    public static int Start(IReadOnlyList<string> command, IReadOnlyList<SafeFileHandle> descriptors)
    {
        var actions = stackalloc byte[OpaqueBytes];
        var attributes = stackalloc byte[OpaqueBytes];
        var allSignals = stackalloc byte[SignalSetBytes];
        var noSignals = stackalloc byte[SignalSetBytes];
        new Span<byte>(allSignals, SignalSetBytes).Fill(0xff);
        new Span<byte>(noSignals, SignalSetBytes).Clear();
        var arguments = (byte**)NativeMemory.AllocZeroed((nuint)command.Count + 1, (nuint)sizeof(byte*));
        byte* noEnvironment = null;
        _ = posix_spawn_file_actions_init(actions);
        _ = posix_spawnattr_init(attributes);
        try
        {
            for (var i = 0; i < command.Count; i++)
            {
                arguments[i] = (byte*)Marshal.StringToCoTaskMemUTF8(command[i]);
            }

            for (var i = 0; i < descriptors.Count; i++)
            {
                _ = posix_spawn_file_actions_adddup2(actions, (int)descriptors[i].DangerousGetHandle(), i);
            }

            _ = posix_spawn_file_actions_addclosefrom_np(actions, descriptors.Count);
            _ = posix_spawnattr_setflags(attributes, NewSessionSignalsAndMask);
            _ = posix_spawnattr_setsigdefault(attributes, allSignals);
            _ = posix_spawnattr_setsigmask(attributes, noSignals);
            int pid;
            var error = posix_spawn(&pid, arguments[0], actions, attributes, arguments, &noEnvironment);
            return error == 0 ? pid : -error;
        }
        finally
        {
            _ = posix_spawn_file_actions_destroy(actions);
            _ = posix_spawnattr_destroy(attributes);
            for (var i = 0; i < command.Count; i++)
            {
                Marshal.FreeCoTaskMem((nint)arguments[i]);
            }

            NativeMemory.Free(arguments);
        }
    }

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(byte* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(byte* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(byte* actions, int from, int to);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_addclosefrom_np(byte* actions, int from);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_init(byte* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_destroy(byte* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setflags(byte* attributes, short flags);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigdefault(byte* attributes, byte* signals);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigmask(byte* attributes, byte* signals);

    [LibraryImport("libc")]
    private static partial int posix_spawn(
        int* pid, byte* path, byte* actions, byte* attributes, byte** arguments, byte** environment);
}
