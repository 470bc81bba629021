using System.Globalization;
using System.Text;
using Tenon.Wire.Content;

namespace Tenon.Hand.Tools;

/// <summary>
/// <c>read</c>: a text file, or the lines of it that were asked for; pictures and PDFs as they are, and notebooks cell
/// by cell.
/// </summary>
internal static class ReadTool
{
    private const int ChunkBytes = 64 * 1024;

    public static ToolAnswer Run(ToolInput input, CancellationToken cancellationToken)
    {
        var shown = input.Required("file_path");
        var range = input.Range("view_range");
        using var file = TextFile.Open("read", Roots.Resolve("read", shown), shown);
        var probe = new byte[ToolLimits.BinaryProbeBytes];
        var probed = file.ReadAtLeast(probe, probe.Length, throwOnEndOfStream: false);
        file.Position = 0;
        var size = file.Length.ToString(CultureInfo.InvariantCulture);
        if (Picture.TypeOf(probe.AsSpan(0, probed)) is not null)
        {
            return MediaFile.ReadPicture(file, shown);
        }

        if (probe.AsSpan(0, probed).StartsWith(MediaFile.PdfHead))
        {
            return MediaFile.ReadPdf(file, shown);
        }

        if (Notebook.IsNamed(shown) && Notebook.Read(file, shown, range) is { } notebook)
        {
            return notebook;
        }

        file.Position = 0;
        if (TextFile.IsBinary(probe.AsSpan(0, probed)))
        {
            throw new ToolFault($"read: {shown} is a binary file of {size} bytes; look into it with bash");
        }

        if (range is { } lines)
        {
            return ToolAnswer.Ok(Lines(file, shown, lines, cancellationToken));
        }

        return file.Length <= ToolLimits.FileBytes
            ? ToolAnswer.Ok(Encoding.UTF8.GetString(TextFile.ReadAll(file)))
            : throw new ToolFault(
                $"read: {shown} has {size} bytes, more than the {ToolLimits.FileBytes} that one answer carries; "
                + "read a part with view_range, or find the place with grep");
    }

    // Streams, so that a part of a file of any size can be read.
    private static string Lines(
        FileStream file, string shown, (long First, long Last) range, CancellationToken cancellationToken)
    {
        var first = Math.Max(1, range.First);
        var last = range.Last <= 0 ? long.MaxValue : range.Last;
        if (last < first)
        {
            throw new ToolFault($"read: view_range ends at line {last}, before its start at line {first}");
        }

        var kept = new MemoryStream();
        var chunk = new byte[ChunkBytes];
        var line = 1L;
        int count;
        while (line <= last && (count = file.Read(chunk)) > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var rest = chunk.AsSpan(0, count);
            while (rest.Length > 0 && line <= last)
            {
                var newline = rest.IndexOf((byte)'\n');
                var piece = newline < 0 ? rest : rest[..(newline + 1)];
                if (line >= first)
                {
                    kept.Write(piece);
                }

                rest = rest[piece.Length..];
                line += newline < 0 ? 0 : 1;
            }

            if (kept.Length > ToolLimits.FileBytes)
            {
                throw new ToolFault(
                    $"read: the lines asked for have more than {ToolLimits.FileBytes} bytes; ask for fewer");
            }
        }

        if (line < first)
        {
            throw new ToolFault($"read: {shown} has {line} lines, and view_range starts at line {first}");
        }

        var text = Encoding.UTF8.GetString(kept.GetBuffer(), 0, (int)kept.Length);
        return line > last && text.EndsWith('\n') ? text[..^1] : text;
    }
}
