using System.Text;

namespace Tenon.Server.Egress;

/// <summary>
/// What the credentials of one host do to one request and its answer: secrets take the place of placeholders on the way
/// out, and placeholders that of secrets on the way back.
/// </summary>
internal sealed class CredentialUse(CredentialWords words, bool isSecret)
{
    private const string Basic = "Basic ";

    /// <summary>Headers that would make of an answer something in which no secret can be looked for: compressed, or
    /// cut into parts of which none has a whole one.</summary>
    private static readonly string[] NotAsked = ["accept-encoding", "range", "if-range"];

    private readonly HashSet<int> _used = [];
    private readonly HashSet<int> _scrubbed = [];

    /// <summary>The ids of the credentials whose secret was sent.</summary>
    public IReadOnlyList<string> Used => [.. _used.Order().Select(words.IdOf)];

    /// <summary>Changes the head of a request.</summary>
    public void Fill(HttpHead request)
    {
        foreach (var name in NotAsked)
        {
            request.Remove(name);
        }

        request.Set("Accept-Encoding", "identity");
        if (isSecret)
        {
            request.Rewrite((name, value) => (name, InHeader(value)));
        }
    }

    /// <summary>Changes the body of a request; null when it is passed on as it is.</summary>
    public ReplacedBody? Fill(HttpHead request, BodyLength body) =>
        isSecret && !body.IsEmpty && !IsCompressed(request) && words.InBody(request) is { IsEmpty: false } inBody
            ? new ReplacedBody(inBody, _used)
            : null;

    /// <summary>Changes the head of an answer.</summary>
    public void Scrub(HttpHead answer) => answer.Rewrite((name, value) => (Scrub(name), Scrub(value)));

    public string Scrub(string text) => words.Answers.In(text, _scrubbed);

    /// <exception cref="BadHeadException">It is compressed, although that was not asked for.</exception>
    public ReplacedBody ScrubBody(HttpHead answer) => IsCompressed(answer)
        ? throw new BadHeadException(
            "the host compressed its answer although it was asked not to, so no secret can be looked for in it")
        : new ReplacedBody(words.Answers, _scrubbed);

    private static bool IsCompressed(HttpHead message) => message.All("content-encoding")
        .Any(coding => coding.Length > 0 && !coding.Equals("identity", StringComparison.OrdinalIgnoreCase));

    private string InHeader(string value)
    {
        if (value.StartsWith(Basic, StringComparison.OrdinalIgnoreCase))
        {
            var buffer = new byte[value.Length];
            if (Convert.TryFromBase64String(value[Basic.Length..], buffer, out var count))
            {
                var pair = Encoding.Latin1.GetString(buffer, 0, count);
                var filled = words.InHeader.In(pair, _used);
                return filled == pair ? value
                    : value[..Basic.Length] + Convert.ToBase64String(Encoding.Latin1.GetBytes(filled));
            }
        }

        return words.InHeader.In(value, _used);
    }
}
