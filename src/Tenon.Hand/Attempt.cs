using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tenon.Hand.Processes;

namespace Tenon.Hand;

/// <summary>
/// <c>hand try …</c>: asks the kernel for one thing and says what it answered. The server's probes run it as a
/// command, for what a shell cannot ask; any program in the sandbox could ask the same.
/// </summary>
/// <remarks>Every argument that is not given is -1, with which no call does anything where it is let through.</remarks>
internal static unsafe class Attempt
{
    /// <summary>The exit status when there is no error number that tells: an attempt's own is the kernel's.</summary>
    private const int Unknown = 125;
    private const int ArgumentsMax = 6;

    private const int ReadWrite = 2;
    private const nuint UnlockTerminal = 0x40045431;
    private const nuint TerminalNumber = 0x80045430;
    private const nuint PushInput = 0x5412;
    private static readonly nuint HighBit = unchecked((nuint)(1UL << 32));

    public static int Run(string[] words) => words switch
    {
        ["call", var number, .. var arguments] => Call(Number(number), [.. arguments.Select(Number)]),
        ["calls", var error, .. var numbers] => Calls((int)Number(error), [.. numbers.Select(Number)]),
        ["i386"] => OldCall(),
        ["push-input"] => PushTerminalInput(),
        ["abstract", var name] => Connect("\0" + name),
        _ => Unknown,
    };

    private static nint Number(string text) => nint.Parse(text, NumberStyles.Integer, CultureInfo.InvariantCulture);

    private static int Call(nint number, nint[] given)
    {
        var a = new nint[ArgumentsMax];
        Array.Fill(a, -1);
        given.AsSpan(0, Math.Min(given.Length, ArgumentsMax)).CopyTo(a);
        return Answer(Kernel.AnyCall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
    }

    /// <summary>Names the calls that end in another way than by <paramref name="error"/>.</summary>
    private static int Calls(int error, nint[] numbers)
    {
        var others = 0;
        foreach (var number in numbers)
        {
            var result = Kernel.AnyCall(number, -1, -1, -1, -1, -1, -1);
            var met = result < 0 ? Marshal.GetLastPInvokeError() : 0;
            if (met != error)
            {
                others++;
                Console.WriteLine($"call {number}: {Marshal.GetPInvokeErrorMessage(met)}");
            }
        }

        Console.WriteLine($"{numbers.Length - others} of {numbers.Length}: {Marshal.GetPInvokeErrorMessage(error)}");
        return others == 0 ? 0 : Unknown;
    }

    /// <summary>The process id, by the entry of 32-bit programs, whose calls have other numbers.</summary>
    private static int OldCall()
    {
        const int ReadWriteExecute = 7;
        const int PrivateAnonymous = 0x22;
        ReadOnlySpan<byte> code = [0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]; // mov eax, getpid; int 0x80; ret
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            Console.WriteLine("command not found: this machine has no such calls");
            return Unknown;
        }

        var page = Kernel.Map(null, (nuint)Environment.SystemPageSize, ReadWriteExecute, PrivateAnonymous, -1, 0);
        code.CopyTo(new Span<byte>(page, code.Length));
        return Answer(((delegate* unmanaged<int>)page)());
    }

    /// <summary>Types a letter into a terminal that is this process's own, as if its user had.</summary>
    private static int PushTerminalInput()
    {
        _ = Kernel.NewSession();
        var master = Kernel.Open("/dev/ptmx", ReadWrite, 0);
        int number;
        var zero = 0;
        if (master < 0 || Kernel.DeviceControl(master, UnlockTerminal, &zero) < 0
            || Kernel.DeviceControl(master, TerminalNumber, &number) < 0)
        {
            Console.WriteLine("command not found: no terminal can be made");
            return Unknown;
        }

        var terminal = Kernel.Open($"/dev/pts/{number.ToString(CultureInfo.InvariantCulture)}", ReadWrite, 0);
        var letter = (int)'x';
        // The kernel looks at the low half alone; a filter that compares the whole would be passed by the second.
        var first = Kernel.DeviceControl(terminal, PushInput, &letter);
        return first < 0 ? Answer(Kernel.DeviceControl(terminal, PushInput | HighBit, &letter)) : Answer(first);
    }

    private static int Connect(string path)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            Console.WriteLine("connected");
            return 0;
        }
        catch (SocketException exception)
        {
            // What it came for: the kernel's word.
            Console.WriteLine(exception.Message);
            return Unknown;
        }
    }

    private static int Answer(nint result)
    {
        var error = result < 0 ? Marshal.GetLastPInvokeError() : 0;
        Console.WriteLine(error == 0 ? $"it answered {result}" : Marshal.GetPInvokeErrorMessage(error));
        return Math.Min(error, Unknown);
    }
}
