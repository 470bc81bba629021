using System.Text;
using System.Text.RegularExpressions;

namespace Tenon.Server.Tests.Support;

/// <summary>As much knowledge of C#'s spelling as the tidy tests need: an estimate, not a compiler.</summary>
public static partial class CSharpText
{
    /// <summary>The text with comments and the insides of literals as blanks, line by line as long as before.</summary>
    public static string Blank(string text)
    {
        var code = new StringBuilder(text.Length);
        var at = 0;
        while (at < text.Length)
        {
            var match = Literal().Match(text, at);
            if (!match.Success)
            {
                break;
            }

            code.Append(text, at, match.Index - at);
            foreach (var letter in match.Value)
            {
                code.Append(letter == '\n' ? '\n' : ' ');
            }

            at = match.Index + match.Length;
        }

        return code.Append(text, at, text.Length - at).ToString();
    }

    /// <summary>The insides of the text's string literals.</summary>
    public static IEnumerable<string> Strings(string text) => Literal().Matches(text)
        .Select(match => match.Value).Where(value => value[0] is not ('/' or '\''));

    /// <summary>Each method with a block, and how many lines it has from its brace to its brace.</summary>
    public static IEnumerable<(int Line, int Lines)> Methods(string code)
    {
        var open = new Stack<(int Start, bool IsType, bool IsMethod)>();
        var from = 0;
        for (var i = 0; i < code.Length; i++)
        {
            if (code[i] == '{')
            {
                var before = code[from..i].Trim();
                var isType = TypeHead().IsMatch(before);
                var inType = open.TryPeek(out var outer) && outer.IsType;
                open.Push((i, isType, inType && !isType && IsMethodHead(before)));
                from = i + 1;
            }
            else if (code[i] == '}' && open.TryPop(out var block))
            {
                if (block.IsMethod)
                {
                    yield return (Line(code, block.Start), Line(code, i) - Line(code, block.Start) - 1);
                }

                from = i + 1;
            }
            else if (code[i] == ';')
            {
                from = i + 1;
            }
        }
    }

    // An equals sign outside the parameters makes it a field's value, or a member without a block.
    private static bool IsMethodHead(string before) => before.Contains('(', StringComparison.Ordinal)
        && !Parentheses().Replace(before, "").Contains('=', StringComparison.Ordinal);

    private static int Line(string code, int at) => code.AsSpan(0, at).Count('\n') + 1;

    // Comments, raw strings (their interpolations too), verbatim strings, plain strings, characters.
    [GeneratedRegex("""
        //[^\n]*|/\*[\s\S]*?\*/|\$*("{3,})[\s\S]*?\1|\$?@\$?"(?:[^"]|"")*"|\$?"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'
        """)]
    private static partial Regex Literal();

    [GeneratedRegex(@"\([^()]*\)")]
    private static partial Regex Parentheses();

    [GeneratedRegex(@"\b(class|struct|interface|record|enum|extension)\b[^;=]*$")]
    private static partial Regex TypeHead();
}
