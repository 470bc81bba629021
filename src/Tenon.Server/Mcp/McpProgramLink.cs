using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Server.Web;

namespace Tenon.Server.Mcp;

/// <summary>The way to a server that is a program in the session's sandbox: its input and its output.</summary>
internal sealed class McpProgramLink : IMcpLink
{
    private readonly SandboxProgram _program;
    private readonly McpOutput _output;

    public McpProgramLink(SandboxProgram program, McpLimits limits)
    {
        _program = program;
        _output = new McpOutput(program, limits);
        Transport = new StreamClientTransport(program.Input, _output);
    }

    public IClientTransport Transport { get; }

    public McpFaultException? Fault => _output.Fault;

    // It is asked with none: what it needs is in its sandbox.
    public bool Carries(string? token) => token is null;

    public async ValueTask Begin()
    {
        await _program.BeginUse();
        _output.Allow();
    }

    public void End() => _program.EndUse();

    public ValueTask DisposeAsync() => _program.DisposeAsync();
}

/// <summary>What a program writes, bounded: the reader waits for the end of a line however long it is.</summary>
internal sealed class McpOutput(SandboxProgram program, McpLimits limits) : ForwardStream
{
    private long _left = limits.AnswerBytesMax;

    /// <summary>Why nothing comes any more; null while it may.</summary>
    public McpFaultException? Fault { get; private set; }

    /// <summary>Something is asked of the program, so that it may answer.</summary>
    public void Allow() => Interlocked.Exchange(ref _left, limits.AnswerBytesMax);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = Fault is null ? await program.Output.ReadAsync(buffer, cancellationToken) : 0;
        if (count > 0 && Interlocked.Add(ref _left, -count) < 0)
        {
            Fault = new McpFaultException(
                McpFault.Connection, $"it wrote more than {limits.AnswerBytesMax} bytes for one answer.");
            await program.DisposeAsync();
            return 0;
        }

        if (count == 0)
        {
            Fault ??= new McpFaultException(McpFault.Connection, Ended(program.End));
        }

        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private string Ended(ProgramEnd? end)
    {
        if (end is null)
        {
            return "its sandbox has ended, or the connection to it.";
        }

        // A sandbox knows placeholders and no secrets, so its words may be shown; as one line of text.
        var words = string.Concat(TextCut.At(end.LastWords, limits.ErrorCharsMax)
            .Select(letter => char.IsControl(letter) ? ' ' : letter)).Trim();
        return $"its program ended with status {end.Status}"
            + (words.Length == 0 ? ", without a word on its error output." : $", and said: {words}");
    }
}
