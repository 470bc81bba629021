using System.Runtime.InteropServices;
using Tenon.Hand.Processes;

namespace Tenon.Hand;

/// <summary>
/// The filter of system calls, for drivers whose program takes none in the kernel's own form. It holds for the hand
/// and for all that it starts, and nothing can take it away.
/// </summary>
internal static unsafe class CallFilter
{
    private const int NoNewPrivileges = 38;
    private const int SetModeFilter = 1;
    private const int AllThreads = 1;
    private const int InstructionBytes = 8;

    /// <exception cref="InvalidOperationException">The kernel does not take it; nothing may run without.</exception>
    public static void Install(string path)
    {
        var program = File.ReadAllBytes(path);
        fixed (byte* instructions = program)
        {
            var filter = new Program
            {
                Length = (ushort)(program.Length / InstructionBytes), Instructions = instructions,
            };
            var call = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 277 : 317;
            if (Kernel.ProcessControl(NoNewPrivileges, 1, 0, 0, 0) != 0
                || Kernel.AnyCall(call, SetModeFilter, AllThreads, (nint)(&filter), 0, 0, 0) != 0)
            {
                throw new InvalidOperationException(
                    $"the filter was not taken: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        public ushort Length;
        public byte* Instructions;
    }
}
