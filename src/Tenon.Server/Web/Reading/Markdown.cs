using System.Text;
using System.Text.RegularExpressions;
using AngleSharp.Dom;

namespace Tenon.Server.Web.Reading;

/// <summary>
/// HTML as text that a model reads well: headings, lists, tables, code, and links with where they lead.
/// </summary>
internal sealed partial class Markdown
{
    private static readonly HashSet<string> Unread =
    [
        "script", "style", "noscript", "template", "svg", "math", "iframe", "head", "title", "select", "textarea",
        "input", "button", "canvas", "object", "embed", "video", "audio", "map", "dialog",
    ];

    private static readonly HashSet<string> Blocks =
    [
        "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "figure", "figcaption",
        "address", "form", "fieldset", "details", "summary", "dl", "dt", "dd", "center", "body", "caption",
    ];

    private readonly Uri _page;
    private readonly int _charsMax;
    private readonly StringBuilder _text = new();

    private Markdown(Uri page, int charsMax) => (_page, _charsMax) = (page, charsMax);

    /// <param name="page">What links are relative to.</param>
    public static (string Text, bool IsCut) Of(INode root, Uri page, int charsMax)
    {
        var markdown = new Markdown(page, charsMax);
        markdown.Children(root);
        var text = BlankLines().Replace(TrailingSpace().Replace(markdown._text.ToString(), "\n"), "\n\n").Trim();
        return (TextCut.At(text, charsMax), text.Length > charsMax || markdown._text.Length > charsMax);
    }

    private void Children(INode node)
    {
        foreach (var child in node.ChildNodes)
        {
            if (_text.Length > _charsMax)
            {
                return;
            }

            Visit(child);
        }
    }

    private void Visit(INode node)
    {
        if (node is IText text)
        {
            Inline(text.Data);
        }
        else if (node is IElement element && !Unread.Contains(element.LocalName) && !element.HasAttribute("hidden"))
        {
            Element(element);
        }
    }

    private void Element(IElement element)
    {
        switch (element.LocalName)
        {
            case "h1" or "h2" or "h3" or "h4" or "h5" or "h6":
                Block(() =>
                {
                    _text.Append('#', element.LocalName[1] - '0').Append(' ').Append(OneLine(element));
                });
                break;
            case "br":
                _text.Append('\n');
                break;
            case "hr":
                Block(() => _text.Append("---"));
                break;
            case "ul" or "ol":
                Block(() => Items(element));
                break;
            case "blockquote":
                Block(() => Prefixed("> ", "> ", Inner(element)));
                break;
            case "pre":
                Block(() => _text.Append("```\n").Append(element.TextContent.Trim('\n')).Append("\n```"));
                break;
            case "code" or "kbd" or "samp":
                _text.Append('`').Append(element.TextContent).Append('`');
                break;
            case "a":
                Link(element);
                break;
            case "img":
                Image(element);
                break;
            case "table":
                Block(() => Table(element));
                break;
            case var name when Blocks.Contains(name):
                Block(() => Children(element));
                break;
            default:
                Children(element);
                break;
        }
    }

    private void Inline(string data)
    {
        var text = Space().Replace(data, " ");
        if (_text.Length == 0 || _text[^1] is ' ' or '\n')
        {
            text = text.TrimStart(' ');
        }

        _text.Append(text);
    }

    private void Block(Action write)
    {
        _text.Append("\n\n");
        write();
        _text.Append("\n\n");
    }

    private void Items(IElement list)
    {
        var number = 1;
        foreach (var item in list.Children)
        {
            var mark = list.LocalName == "ol" ? $"{number++}. " : "- ";
            Prefixed(mark, new string(' ', mark.Length), Inner(item));
        }
    }

    private void Prefixed(string first, string others, string text)
    {
        var prefix = first;
        foreach (var line in text.Split('\n'))
        {
            _text.Append(prefix).Append(line).Append('\n');
            prefix = others;
        }
    }

    private void Link(IElement link)
    {
        var label = OneLine(link);
        if (label.Length == 0)
        {
            return;
        }

        var href = link.GetAttribute("href")?.Trim();
        if (href is { Length: > 0 } && href[0] != '#' && Uri.TryCreate(_page, href, out var target)
            && target.Scheme is "http" or "https" or "mailto")
        {
            _text.Append('[').Append(label).Append("](").Append(target.AbsoluteUri).Append(')');
        }
        else
        {
            Inline(label);
        }
    }

    private void Image(IElement image)
    {
        if (image.GetAttribute("alt")?.Trim() is { Length: > 0 } alt)
        {
            _text.Append("[image: ").Append(Space().Replace(alt, " ")).Append(']');
        }
    }

    private void Table(IElement table)
    {
        var isFirst = true;
        foreach (var row in table.QuerySelectorAll("tr").Where(row => row.Closest("table") == table))
        {
            var cells = row.Children
                .Select(cell => OneLine(cell).Replace("|", "\\|", StringComparison.Ordinal)).ToList();
            _text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
            if (isFirst)
            {
                _text.Append('|').Insert(_text.Length, " --- |", cells.Count).Append('\n');
            }

            isFirst = false;
        }
    }

    private string Inner(INode node) => Of(node, _page, _charsMax).Text;

    private string OneLine(INode node) => Space().Replace(Inner(node), " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [GeneratedRegex(@"[ \t]+\n")]
    private static partial Regex TrailingSpace();

    [GeneratedRegex(@"\n{3,}")]
    private static partial Regex BlankLines();
}
