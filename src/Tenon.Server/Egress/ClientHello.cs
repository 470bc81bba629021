using System.Buffers.Binary;
using System.Text;

namespace Tenon.Server.Egress;

/// <summary>The first words of a TLS client (RFC 8446 section 4.1.2): which server it wants.</summary>
internal static class ClientHello
{
    private const byte HandshakeRecord = 22;
    private const byte ClientHelloMessage = 1;
    private const ushort ServerNameExtension = 0;
    private const int RecordHeader = 5;
    private const int RandomBytes = 32;

    public static bool Starts(ReadOnlySpan<byte> bytes) => bytes is [HandshakeRecord, ..];

    /// <summary>Why a client's first words are not passed on; null when they are.</summary>
    /// <param name="mustBeTls">Whether nothing else may be spoken.</param>
    public static async Task<string?> Refused(
        WireReader reader, string host, bool mustBeTls, CancellationToken cancellationToken)
    {
        if (reader.Buffered.IsEmpty && !await reader.Fill(cancellationToken))
        {
            return null;
        }

        if (!Starts(reader.Buffered.Span))
        {
            return mustBeTls ? "what was sent through the tunnel is not TLS" : null;
        }

        string? name;
        while ((name = ServerName(reader.Buffered.Span)) is null)
        {
            if (!await reader.Fill(cancellationToken))
            {
                return "the TLS client ended before it named a server";
            }
        }

        return name.Equals(host, StringComparison.OrdinalIgnoreCase) ? null
            : $"the TLS client wants '{(name.All(char.IsAscii) ? name : "?")}' and the tunnel is to {host}";
    }

    /// <summary>Reads the name of the wanted server.</summary>
    /// <returns>
    /// Null when more bytes are needed; the empty name when it names none, or says something that is not sound.
    /// </returns>
    private static string? ServerName(ReadOnlySpan<byte> bytes)
    {
        var message = new List<byte>();
        while (true)
        {
            if (bytes.Length < RecordHeader)
            {
                return null;
            }

            var length = BinaryPrimitives.ReadUInt16BigEndian(bytes[3..]);
            if (bytes[0] != HandshakeRecord || length == 0)
            {
                return "";
            }

            if (bytes.Length < RecordHeader + length)
            {
                return null;
            }

            message.AddRange(bytes.Slice(RecordHeader, length));
            bytes = bytes[(RecordHeader + length)..];
            var all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(message);
            if (all.Length >= 4 && all.Length >= 4 + Length24(all[1..]))
            {
                return all[0] == ClientHelloMessage ? NameIn(all.Slice(4, Length24(all[1..]))) : "";
            }
        }
    }

    private static int Length24(ReadOnlySpan<byte> bytes) => (bytes[0] << 16) | (bytes[1] << 8) | bytes[2];

    private static string NameIn(ReadOnlySpan<byte> hello)
    {
        try
        {
            var rest = hello[(2 + RandomBytes)..];
            rest = rest[(1 + rest[0])..];
            rest = rest[(2 + BinaryPrimitives.ReadUInt16BigEndian(rest))..];
            rest = rest[(1 + rest[0])..];
            rest = rest.Slice(2, BinaryPrimitives.ReadUInt16BigEndian(rest));
            while (rest.Length > 0)
            {
                var length = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
                if (BinaryPrimitives.ReadUInt16BigEndian(rest) == ServerNameExtension)
                {
                    // A list of names of kinds; only names of hosts were ever defined, and only one may be given.
                    var list = rest.Slice(4, length);
                    var name = list.Slice(5, BinaryPrimitives.ReadUInt16BigEndian(list[3..]));
                    return list[2] == 0 && list.Length == 5 + name.Length ? Encoding.Latin1.GetString(name) : "";
                }

                rest = rest[(4 + length)..];
            }
        }
        catch (ArgumentOutOfRangeException)
        {
            // Lengths that do not fit: as good as no name.
        }
        catch (IndexOutOfRangeException)
        {
            // The same.
        }

        return "";
    }
}
