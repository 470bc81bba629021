using System.Globalization;
using System.Text;
using System.Text.Json;
using Tenon.Wire.Content;

namespace Tenon.Hand.Tools;

/// <summary>A Jupyter notebook as <c>read</c> shows it: cells in order, what they gave, and its pictures.</summary>
internal sealed class Notebook
{
    /// <summary>What of an output is shown, the first that is there; pictures come before all of them.</summary>
    private static readonly string[] Texts =
        ["text/plain", "text/markdown", "text/latex", "application/json", "text/html", "image/svg+xml"];

    private static readonly string[] Pictures = ["image/png", "image/jpeg", "image/gif", "image/webp"];

    private readonly StringBuilder _text = new();
    private readonly List<ToolPart> _parts = [];
    private readonly string _name;
    private long _bytes;
    private long _chars;
    private int _pictures;

    private Notebook(string name) => _name = name;

    public static bool IsNamed(string path) => path.EndsWith(".ipynb", StringComparison.OrdinalIgnoreCase);

    /// <summary>The cells of a range, counted from 1; null when the file is no notebook, whatever its name.</summary>
    public static ToolAnswer? Read(FileStream file, string shown, (long First, long Last)? range)
    {
        if (file.Length > ToolLimits.NotebookBytes)
        {
            throw new ToolFault($"read: {shown} is a notebook of {file.Length} bytes, more than the "
                + $"{ToolLimits.NotebookBytes} that are looked into; take cells out of it with bash");
        }

        try
        {
            using var json = JsonDocument.Parse(TextFile.ReadAll(file));
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("cells", out var cells) && cells.ValueKind == JsonValueKind.Array
                    ? new Notebook(Path.GetFileName(shown)).Show(cells, shown, range) : null;
        }
        catch (JsonException)
        {
            // Half a notebook is a text, and shown as one.
            return null;
        }
    }

    private ToolAnswer Show(JsonElement cells, string shown, (long First, long Last)? range)
    {
        var count = cells.GetArrayLength();
        var first = Math.Max(1, range?.First ?? 1);
        var last = range is { Last: > 0 } asked ? Math.Min(asked.Last, count) : count;
        if (first > last && count > 0)
        {
            throw new ToolFault($"read: {shown} has {count} cells, and view_range counts cells in a notebook");
        }

        var number = 0;
        foreach (var cell in cells.EnumerateArray())
        {
            if (++number >= first && number <= last && cell.ValueKind == JsonValueKind.Object)
            {
                ShowCell(cell, number);
            }

            if (_chars + _text.Length > ToolLimits.FileBytes)
            {
                throw new ToolFault($"read: {shown} has more text than the {ToolLimits.FileBytes} bytes that one "
                    + $"answer carries; it has {count} cells: read some with view_range, which counts cells here");
            }
        }

        Flush();
        var text = string.Concat(_parts.Select(part => part.Text));
        return ToolAnswer.Ok(text) with { Parts = _pictures > 0 ? _parts : [] };
    }

    private void ShowCell(JsonElement cell, int number)
    {
        var kind = Text(cell, "cell_type");
        var run = cell.TryGetProperty("execution_count", out var ran) && ran.ValueKind == JsonValueKind.Number
            ? $", run as {ran.GetRawText()}" : "";
        Line(string.Create(CultureInfo.InvariantCulture, $"[cell {number}: {kind}{run}]"));
        Line(Text(cell, "source"));
        if (cell.TryGetProperty("outputs", out var outputs) && outputs.ValueKind == JsonValueKind.Array)
        {
            foreach (var output in outputs.EnumerateArray().Where(one => one.ValueKind == JsonValueKind.Object))
            {
                ShowOutput(output);
            }
        }

        Line("");
    }

    private void ShowOutput(JsonElement output)
    {
        switch (Text(output, "output_type"))
        {
            case "stream":
                Line($"[{Text(output, "name")}]");
                Line(CommandOutput.Plain(Text(output, "text")));
                break;
            case "error":
                Line("[error]");
                var trace = CommandOutput.Plain(Text(output, "traceback", "\n"));
                Line(trace.Length > 0 ? trace : $"{Text(output, "ename")}: {Text(output, "evalue")}");
                break;
            default:
                if (output.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object)
                {
                    ShowData(data);
                }

                break;
        }
    }

    private void ShowData(JsonElement data)
    {
        Line("[output]");
        if (Pictures.FirstOrDefault(type => data.TryGetProperty(type, out _)) is { } picture)
        {
            ShowPicture(Text(data, picture));
        }
        else if (Texts.FirstOrDefault(type => data.TryGetProperty(type, out _)) is { } type)
        {
            Line(Text(data, type));
        }
        else
        {
            Line($"[{string.Join(", ", data.EnumerateObject().Select(property => property.Name))}: not shown]");
        }
    }

    private void ShowPicture(string base64)
    {
        var bytes = new byte[base64.Length / 4 * 3 + 3];
        if (!Convert.TryFromBase64String(base64, bytes, out var count)
            || Picture.Of(bytes.AsSpan(0, count)) is not { IsWhole: true } picture)
        {
            Line("[a picture that is damaged]");
        }
        else if (count > Picture.BytesMax || Math.Max(picture.Width, picture.Height) > Picture.SideMax
            || _pictures == ToolLimits.NotebookPictures || _bytes + count > ToolLimits.PdfBytes)
        {
            Line($"[a picture of {picture.Width} x {picture.Height} pixels and {count} bytes is left out: one answer "
                + $"has at most {ToolLimits.NotebookPictures} pictures, of at most {Picture.BytesMax} bytes and "
                + $"{Picture.SideMax} pixels a side]");
        }
        else
        {
            Line($"[picture, {picture.Width} x {picture.Height} pixels]");
            Flush();
            _parts.Add(new ToolPart(null, picture.MediaType, _name, bytes[..count]));
            (_pictures, _bytes) = (_pictures + 1, _bytes + count);
        }
    }

    private void Flush()
    {
        if (_text.Length > 0)
        {
            _chars += _text.Length;
            _parts.Add(ToolPart.Of(_text.ToString()));
            _text.Clear();
        }
    }

    private void Line(string text) => _text.Append(text.TrimEnd('\n')).Append('\n');

    /// <summary>A text, which notebooks keep whole or in lines.</summary>
    private static string Text(JsonElement of, string name, string between = "") =>
        !of.TryGetProperty(name, out var value) ? "" : value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Array => string.Join(between, value.EnumerateArray().Select(
                line => line.ValueKind == JsonValueKind.String ? line.GetString() : line.GetRawText())),
            _ => value.GetRawText(),
        };
}
