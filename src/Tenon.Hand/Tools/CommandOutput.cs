using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Tenon.Hand.Tools;

/// <summary>
/// A command's output in bounded memory: its end, and, once it grows past what an answer carries, all of it in a
/// file that the model can read. Only the shell's thread writes.
/// </summary>
internal sealed partial class CommandOutput(string toolUseId) : IDisposable
{
    private readonly byte[] _tail = new byte[2 * ToolLimits.InlineOutputBytes + 1];
    private int _held;
    private long _total;
    private FileStream? _spool;
    private long _spooled;
    private bool _spoolFailed;

    private string SpoolPath => Path.Combine(
        ToolLimits.SpoolDirectory,
        string.Concat(toolUseId.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '_')) + ".txt");

    public void Append(ReadOnlySpan<byte> bytes)
    {
        var before = _total;
        _total += bytes.Length;
        if (_total > ToolLimits.InlineOutputBytes)
        {
            if (before <= ToolLimits.InlineOutputBytes)
            {
                Spool(_tail.AsSpan(0, _held));
            }

            Spool(bytes);
        }

        Keep(bytes.Length > ToolLimits.InlineOutputBytes ? bytes[^ToolLimits.InlineOutputBytes..] : bytes);
    }

    /// <summary>The text for the model: ANSI sequences gone, bytes that are no UTF-8 replaced.</summary>
    public string Text()
    {
        var cut = _total > ToolLimits.InlineOutputBytes;
        var tail = _tail.AsSpan(0, _held);
        if (cut)
        {
            tail = tail[^Math.Min(_held, ToolLimits.InlineOutputBytes)..];
            while (tail.Length > 0 && (tail[0] & 0xC0) == 0x80)
            {
                tail = tail[1..];
            }
        }

        var text = Ansi().Replace(Encoding.UTF8.GetString(tail), "").TrimEnd('\n');
        return cut ? $"[output truncated]\n{text}\n{WhereTheRestIs()}" : text;
    }

    /// <summary>A text without the sequences that only a terminal understands.</summary>
    public static string Plain(string text) => Ansi().Replace(text, "");

    public void Dispose() => _spool?.Dispose();

    private string WhereTheRestIs()
    {
        var size = _total.ToString(CultureInfo.InvariantCulture);
        return _spool is null ? $"[The output had {size} bytes; the beginning could not be kept.]"
            : _spooled < _total ? $"[The output had {size} bytes; the first {_spooled} are in {SpoolPath}.]"
            : $"[The full output, {size} bytes, is in {SpoolPath}: use read with view_range, or grep.]";
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_held + bytes.Length > _tail.Length)
        {
            var keep = ToolLimits.InlineOutputBytes;
            _tail.AsSpan(_held - keep, keep).CopyTo(_tail);
            _held = keep;
        }

        bytes.CopyTo(_tail.AsSpan(_held));
        _held += bytes.Length;
    }

    private void Spool(ReadOnlySpan<byte> bytes)
    {
        if (_spoolFailed || _spooled >= ToolLimits.SpooledOutputBytes)
        {
            return;
        }

        try
        {
            if (_spool is null)
            {
                Directory.CreateDirectory(ToolLimits.SpoolDirectory);
                _spool = new FileStream(SpoolPath, FileMode.CreateNew, FileAccess.Write, FileShare.Read, 0);
            }

            var room = (int)Math.Min(bytes.Length, ToolLimits.SpooledOutputBytes - _spooled);
            _spool.Write(bytes[..room]);
            _spooled += room;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A full or spoilt /tmp costs the copy, not the command.
            _spoolFailed = true;
        }
    }

    [GeneratedRegex(@"\x1b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHM])")]
    private static partial Regex Ansi();
}
