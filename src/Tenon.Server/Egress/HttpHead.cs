using System.Text;

namespace Tenon.Server.Egress;

/// <summary>
/// The head of an HTTP/1.1 message, read so that no other parser can read it differently (RFC 9112): lines end with
/// CRLF alone, nothing is folded, names are tokens with the colon right behind them, and a body has one length.
/// </summary>
internal sealed class HttpHead
{
    private const int FieldsMax = 200;
    private const string TokenMarks = "!#$%&'*+-.^_`|~";

    /// <summary>What concerns one connection, and is not passed on (RFC 9110 section 7.6.1).</summary>
    private static readonly HashSet<string> HopByHop = new(StringComparer.OrdinalIgnoreCase)
    {
        "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
        "proxy-authorization", "proxy-authenticate",
    };

    private readonly List<(string Name, string Value)> _fields = [];

    private HttpHead(string[] start) => Start = start;

    /// <summary>The three words of the first line; an answer's reason may be empty.</summary>
    public IReadOnlyList<string> Start { get; }

    public bool IsOldVersion => Start[0] == "HTTP/1.0" || Start[2] == "HTTP/1.0";

    /// <summary>The field's one value; null when it is not there.</summary>
    /// <exception cref="BadHeadException">It is there twice.</exception>
    public string? Single(string name)
    {
        var values = All(name).ToList();
        return values.Count > 1 ? throw new BadHeadException($"{name} stands there twice") : values.FirstOrDefault();
    }

    public IEnumerable<string> All(string name) =>
        _fields.Where(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            .Select(field => field.Value);

    public void Set(string name, string value)
    {
        Remove(name);
        _fields.Add((name, value));
    }

    public void Remove(string name) =>
        _fields.RemoveAll(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Changes every field that is passed on.</summary>
    public void Rewrite(Func<string, string, (string Name, string Value)> change)
    {
        for (var i = 0; i < _fields.Count; i++)
        {
            _fields[i] = change(_fields[i].Name, _fields[i].Value);
        }
    }

    /// <summary>Whether the sender wants the connection to end after this message.</summary>
    public bool Closes => IsOldVersion || All("connection").Concat(All("proxy-connection"))
        .Any(value => value.Contains("close", StringComparison.OrdinalIgnoreCase));

    /// <summary>How a request's body ends.</summary>
    /// <exception cref="BadHeadException">It could be read in two ways.</exception>
    public BodyLength RequestBody()
    {
        var length = Length();
        return IsChunked() switch
        {
            true when length is not null => throw new BadHeadException("it has both lengths"),
            true when IsOldVersion => throw new BadHeadException("HTTP/1.0 has no chunks"),
            true => BodyLength.Chunked,
            _ => BodyLength.Of(length ?? 0),
        };
    }

    /// <summary>How an answer's body ends.</summary>
    /// <exception cref="BadHeadException">It could be read in two ways.</exception>
    public BodyLength AnswerBody(string method)
    {
        var length = Length();
        var isChunked = IsChunked();
        return method == "HEAD" || Start[1] is ['1', ..] or "204" or "304" ? BodyLength.Of(0)
            : isChunked && length is not null ? throw new BadHeadException("it has both lengths")
            : isChunked ? BodyLength.Chunked
            : length is { } known ? BodyLength.Of(known)
            : BodyLength.UntilEnd;
    }

    /// <summary>The head as it is passed on, without what concerns one connection.</summary>
    public byte[] ToBytes(string startLine, params ReadOnlySpan<string> more)
    {
        var text = new StringBuilder(startLine).Append("\r\n");
        var named = All("connection").SelectMany(value => value.Split(',', StringSplitOptions.TrimEntries)).ToHashSet(
            StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in _fields.Where(field => !HopByHop.Contains(field.Name)
            && (!named.Contains(field.Name) || IsNeeded(field.Name))))
        {
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        }

        foreach (var line in more)
        {
            text.Append(line).Append("\r\n");
        }

        return Encoding.Latin1.GetBytes(text.Append("\r\n").ToString());
    }

    /// <param name="bytes">All of it, with the empty line.</param>
    /// <exception cref="BadHeadException">It is not what it should be; the message says what.</exception>
    public static HttpHead Parse(ReadOnlySpan<byte> bytes, bool isAnswer)
    {
        var lines = Encoding.Latin1.GetString(bytes[..^4]).Split("\r\n");
        if (lines.Length > FieldsMax + 1)
        {
            throw new BadHeadException($"it has more than {FieldsMax} fields");
        }

        var head = new HttpHead(isAnswer ? AnswerLine(lines[0]) : RequestLine(lines[0]));
        foreach (var line in lines.Skip(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || !line.AsSpan(0, colon).ToString().All(IsToken))
            {
                throw new BadHeadException("a field's name is not sound");
            }

            var value = line[(colon + 1)..].Trim(' ', '\t');
            head._fields.Add((line[..colon], value.All(IsText) ? value
                : throw new BadHeadException($"the value of {line[..colon]} is not sound")));
        }

        return head;
    }

    private static string[] RequestLine(string line) =>
        line.Split(' ') is [var method, var target, "HTTP/1.1" or "HTTP/1.0"] words
            && method.Length > 0 && method.All(IsToken) && target.Length > 0 && target.All(c => c is > ' ' and < '\x7f')
                ? words
                : throw new BadHeadException("its first line is not sound");

    private static string[] AnswerLine(string line) =>
        line.Split(' ', 3) is ["HTTP/1.1" or "HTTP/1.0", { Length: 3 } status, ..] words
            && status.All(char.IsAsciiDigit) && line.All(IsText)
                ? [words[0], status, words.Length > 2 ? words[2] : ""]
                : throw new BadHeadException("its first line is not sound");

    private static bool IsToken(char c) =>
        char.IsAsciiLetterOrDigit(c) || TokenMarks.Contains(c, StringComparison.Ordinal);

    // A bare CR or LF, or a NUL, is where parsers differ.
    private static bool IsText(char c) => c is '\t' or >= ' ' and not '\x7f';

    // A client may not have a field dropped without which the other side reads the message differently.
    private static bool IsNeeded(string name) => name.Equals("content-length", StringComparison.OrdinalIgnoreCase)
        || name.Equals("host", StringComparison.OrdinalIgnoreCase);

    private bool IsChunked() => Single("transfer-encoding") switch
    {
        null => false,
        var coding when coding.Equals("chunked", StringComparison.OrdinalIgnoreCase) => true,
        _ => throw new BadHeadException("it has a transfer coding other than chunked"),
    };

    private long? Length()
    {
        const int DigitsMax = 18;
        return Single("content-length") switch
        {
            null => null,
            { Length: > 0 and <= DigitsMax } text when text.All(char.IsAsciiDigit) =>
                long.Parse(text, System.Globalization.CultureInfo.InvariantCulture),
            _ => throw new BadHeadException("its content-length is not a number"),
        };
    }
}

/// <summary>How a body ends.</summary>
/// <param name="Bytes">Its length, when that is what ends it.</param>
internal readonly record struct BodyLength(BodyEnd End, long Bytes)
{
    public static BodyLength Chunked { get; } = new(BodyEnd.Chunked, 0);

    public static BodyLength UntilEnd { get; } = new(BodyEnd.Connection, 0);

    public bool IsEmpty => this is { End: BodyEnd.Length, Bytes: 0 };

    public static BodyLength Of(long bytes) => new(BodyEnd.Length, bytes);
}

internal enum BodyEnd
{
    Length,
    Chunked,

    /// <summary>With the connection.</summary>
    Connection,
}

/// <summary>A message that is not HTTP/1.1, or that two parsers could read differently.</summary>
internal sealed class BadHeadException(string why) : Exception(why);
