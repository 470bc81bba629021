using System.Text;

namespace Tenon.Hand.Tools;

/// <summary>
/// The lines of a text file in bounded memory, however long one is: a file of one line, or a hole of gigabytes, must
/// not cost the hand its life. Ends at the first NUL, since what has one is no text.
/// </summary>
/// <param name="lineCharsMax">Longer lines are counted and not given.</param>
/// <param name="goOn">Called before every piece of the file; may throw to end the search.</param>
internal sealed class TextLines(string path, int lineCharsMax, Action goOn) : IDisposable
{
    private const int PieceChars = 16 * 1024;

    private readonly StreamReader _reader = new(path);
    private readonly char[] _piece = new char[PieceChars];
    private readonly StringBuilder _line = new();
    private int _at;
    private int _end;

    /// <summary>Counted from 1.</summary>
    public int Number { get; private set; }

    /// <summary>The line without its end; null when it is too long.</summary>
    public string? Line { get; private set; }

    /// <summary>Goes to the next line; false when there is none.</summary>
    public bool Next()
    {
        _line.Clear();
        var length = 0L;
        while (_at < _end || Fill())
        {
            var rest = _piece.AsSpan(_at, _end - _at);
            var stop = rest.IndexOfAny('\n', '\0');
            var part = stop < 0 ? rest : rest[..stop];
            length += part.Length;
            if (length <= lineCharsMax)
            {
                _line.Append(part);
            }

            _at += part.Length + (stop < 0 ? 0 : 1);
            if (stop >= 0)
            {
                return rest[stop] == '\n' && Give(length);
            }
        }

        return length > 0 && Give(length);
    }

    public void Dispose() => _reader.Dispose();

    private bool Give(long length)
    {
        Number++;
        Line = length > lineCharsMax ? null
            : _line.Length > 0 && _line[^1] == '\r' ? _line.ToString(0, _line.Length - 1)
            : _line.ToString();
        return true;
    }

    private bool Fill()
    {
        goOn();
        (_at, _end) = (0, _reader.Read(_piece));
        return _end > 0;
    }
}
