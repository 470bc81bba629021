using System.Buffers;
using System.Text;
using Tenon.Server.Storage;

namespace Tenon.Server.Events;

/// <summary>An entry as streams send it: its sequence number as <c>id</c>, its type, its body (api D).</summary>
internal sealed class Frame(LogEntry entry)
{
    private byte[]? _bytes;

    public LogEntry Entry => entry;

    /// <summary>Makes its bytes once for all who send it. They cost as much again as the entry itself.</summary>
    public void Share()
    {
        if (_bytes is null && !entry.Internal)
        {
            var output = new ArrayBufferWriter<byte>();
            WriteTo(output);
            _bytes = output.WrittenSpan.ToArray();
        }
    }

    public void WriteTo(IBufferWriter<byte> output)
    {
        if (_bytes is not null)
        {
            output.Write(_bytes);
            return;
        }

        Encoding.UTF8.GetBytes($"id: {entry.Seq}\n", output);
        Write(output, entry.Type, entry.Body);
    }

    /// <summary>One that has no place in the log.</summary>
    public static void Write(IBufferWriter<byte> output, string name, string body)
    {
        Encoding.UTF8.GetBytes($"event: {name}\ndata: ", output);
        Encoding.UTF8.GetBytes(body, output);
        output.Write("\n\n"u8);
    }
}
