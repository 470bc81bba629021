using System.Buffers;
using System.Text;

namespace Tenon.Server.Egress;

/// <summary>
/// A body in which words are replaced while it passes. Only what may be the start of a word waits for the next piece.
/// </summary>
/// <param name="used">Gets the ids of what was replaced.</param>
internal sealed class ReplacedBody(Replacements words, HashSet<int> used)
{
    private readonly ArrayBufferWriter<byte> _written = new();
    private char[] _text = [];
    private int _held;

    /// <summary>What is decided after this piece; it is good until the next call.</summary>
    /// <param name="isLast">Nothing follows, so nothing waits.</param>
    public ReadOnlyMemory<byte> Next(ReadOnlyMemory<byte> piece, bool isLast)
    {
        Grow(_held + piece.Length);
        Encoding.Latin1.GetChars(piece.Span, _text.AsSpan(_held));
        var text = _text.AsSpan(0, _held + piece.Length);
        if (_held == 0)
        {
            // Most pieces have no word in them, and pass as they are.
            var open = words.FirstOpen(text, isLast);
            if (open == text.Length)
            {
                return piece;
            }
        }

        return Take(text, isLast);
    }

    /// <summary>What was still waiting.</summary>
    public ReadOnlyMemory<byte> End() => Take(_text.AsSpan(0, _held), isLast: true);

    private ReadOnlyMemory<byte> Take(Span<char> text, bool isLast)
    {
        _written.ResetWrittenCount();
        var taken = words.Write(text, isLast, _written, used);
        text[taken..].CopyTo(_text);
        _held = text.Length - taken;
        return _written.WrittenMemory;
    }

    private void Grow(int chars)
    {
        if (_text.Length < chars)
        {
            Array.Resize(ref _text, chars);
        }
    }
}
