using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text.Json;
using Tenon.Hand.Processes;
using Tenon.Hand.Tools;
using Tenon.Wire.Hand;

namespace Tenon.Hand;

/// <summary>
/// One connection of a server: frames of a little-endian length and that many bytes of JSON. Its end stops nothing
/// that runs; the answers wait as receipts for the next one.
/// </summary>
internal sealed class Connection(Socket socket, string instance, Receipts receipts, Children children)
{
    private const int LengthBytes = 4;

    /// <summary>A server that does not take its answers for so long is gone; receipts keep them.</summary>
    private const int SendTimeoutMs = 10_000;

    private readonly Lock _sending = new();

    // What a program writes has the connection for itself.
    private bool _isProgram;

    /// <summary>Serves until the other side ends or breaks the contract.</summary>
    public void Serve()
    {
        using (socket)
        {
            socket.SendTimeout = SendTimeoutMs;
            try
            {
                var header = new byte[LengthBytes];
                while (Fill(header))
                {
                    var length = BinaryPrimitives.ReadUInt32LittleEndian(header);
                    if (length is 0 or > HandProtocol.FrameBytesMax)
                    {
                        return;
                    }

                    var frame = new byte[length];
                    if (!Fill(frame)
                        || JsonSerializer.Deserialize(frame, HandJson.Default.HandRequest) is not { } request)
                    {
                        return;
                    }

                    Take(request);
                }
            }
            catch (Exception exception) when (exception is SocketException or JsonException or ObjectDisposedException)
            {
                // The server is gone or is none; another connection may come.
            }
        }
    }

    /// <summary>Says something that was not asked for. A server that is gone hears nothing.</summary>
    public void Tell(string word)
    {
        lock (_sending)
        {
            if (!_isProgram)
            {
                Send(new HandReply { Id = HandEvents.Id, Event = word });
            }
        }
    }

    private bool Fill(Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var count = socket.Receive(buffer);
            if (count == 0)
            {
                return false;
            }

            buffer = buffer[count..];
        }

        return true;
    }

    private void Take(HandRequest request)
    {
        switch (request)
        {
            case { Verb: HandVerbs.Hello }:
                Send(new HandReply
                {
                    Id = request.Id, Instance = instance, Protocol = HandProtocol.Version,
                    RestoresShell = ShellState.WasKept,
                });
                break;
            case { Verb: HandVerbs.Ping }:
                Send(new HandReply { Id = request.Id });
                break;
            case { Verb: HandVerbs.Save }:
                _ = Save(request.Id);
                break;
            case { Verb: HandVerbs.Call, ToolUseId: { Length: > 0 } id, Tool: { } tool }:
                _ = Answer(request.Id, receipts.Call(
                    id, request.Shell, new ToolInput(tool, request.Input ?? default)));
                break;
            case { Verb: HandVerbs.Start, Program: { } program }:
                Start(request.Id, program);
                break;
            case { Verb: HandVerbs.Cancel, ToolUseId: { } id }:
                receipts.Cancel(id);
                Send(new HandReply { Id = request.Id });
                break;
            case { Verb: HandVerbs.Forget, ToolUseId: { } id }:
                receipts.Forget(id);
                Send(new HandReply { Id = request.Id });
                break;
            default:
                Send(new HandReply { Id = request.Id, Fault = $"the hand does not know the request {request.Verb}" });
                break;
        }
    }

    /// <summary>Runs a program until it or the connection ends.</summary>
    private void Start(long id, HandProgram program)
    {
        ProgramRelay relay;
        try
        {
            relay = ProgramRelay.Start(children, program);
        }
        catch (IOException exception)
        {
            // No process, no pipe, or too many of them: the server is told why.
            Send(new HandReply { Id = id, Fault = exception.Message });
            return;
        }

        lock (_sending)
        {
            _isProgram = true;
            Send(new HandReply { Id = id });
        }

        var end = relay.Serve(socket);
        Send(end with { Id = id });
        socket.Shutdown(SocketShutdown.Both);
    }

    private async Task Save(long id)
    {
        await receipts.Save();
        Send(new HandReply { Id = id });
    }

    private async Task Answer(long id, Task<ToolAnswer> call)
    {
        var answer = await call;
        if (answer.Parts.Count == 0)
        {
            Send(new HandReply { Id = id, Text = answer.Text, IsError = answer.IsError });
            return;
        }

        var parts = answer.Parts.Select(part => new HandPart
        {
            Text = part.Text, Name = part.Name, Bytes = part.Bytes?.Length ?? 0,
        });
        Send(new HandReply { Id = id, Parts = [.. parts], IsError = answer.IsError },
            [.. answer.Parts.Select(part => part.Bytes).OfType<byte[]>()]);
    }

    /// <param name="bytes">What follows the frame, as it is.</param>
    private void Send(HandReply reply, params ReadOnlySpan<byte[]> bytes)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(reply, HandJson.Default.HandReply);
        var frame = new byte[LengthBytes + body.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)body.Length);
        body.CopyTo(frame, LengthBytes);
        lock (_sending)
        {
            try
            {
                SendWhole(frame);
                foreach (var piece in bytes)
                {
                    SendWhole(piece);
                }
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // Half a frame may be out: this connection is over. The receipt keeps the answer.
                socket.Dispose();
            }
        }
    }

    private void SendWhole(byte[] bytes)
    {
        for (var sent = 0; sent < bytes.Length;)
        {
            sent += socket.Send(bytes.AsSpan(sent));
        }
    }
}
