using System.Text;
using Tenon.Server.Egress;
using Xunit;

namespace Tenon.Server.Tests.Egress;

public sealed class ReplacementsTests
{
    private static readonly Replacements Words = new(
    [
        ("secret", "<one>", 1), ("secretary", "<two>", 2), ("aab", "<three>", 3), ("etc", "", 4),
    ]);

    [Theory]
    [InlineData("", "")]
    [InlineData("secret", "<one>")]
    [InlineData("secretary", "<two>")]
    [InlineData("secreta", "<one>a")]
    [InlineData("secretsecretaryaabetcx", "<one><two><three>x")]
    [InlineData("aaabaaab", "a<three>a<three>")]
    [InlineData("secresecre", "secresecre")]
    [InlineData("ssecretarsecretary", "s<one>ar<two>")]
    [InlineData("nothing of the kind: e, et, s, a, aa", "nothing of the kind: e, et, s, a, aa")]
    public void Words_are_replaced_wherever_a_text_is_cut(string text, string replaced)
    {
        Assert.Equal(replaced, Words.In(text, []));
        for (var first = 0; first <= text.Length; first++)
        {
            for (var second = first; second <= text.Length; second++)
            {
                Assert.Equal(replaced, Through(false, text[..first], text[first..second], text[second..]));
                Assert.Equal(replaced, Through(true, text[..first], text[first..second], text[second..]));
            }
        }
    }

    [Fact]
    public void Bytes_that_are_no_text_pass_as_they_are()
    {
        var bytes = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        var body = new ReplacedBody(Words, []);

        Assert.Equal(bytes, (byte[])[.. body.Next(bytes, false).ToArray(), .. body.End().ToArray()]);
    }

    [Fact]
    public void Only_what_may_be_the_start_of_a_word_waits()
    {
        var body = new ReplacedBody(Words, []);

        Assert.Equal("data: x\n\n", Text(body.Next("data: x\n\n"u8.ToArray(), false)));
        Assert.Equal("data: ", Text(body.Next("data: secr"u8.ToArray(), false)));
        Assert.Equal("secrx", Text(body.Next("x"u8.ToArray(), false)));
    }

    [Fact]
    public void What_was_replaced_is_told()
    {
        var used = new HashSet<int>();
        var body = new ReplacedBody(Words, used);

        body.Next("secr"u8.ToArray(), false);
        Assert.Empty(used);
        body.Next("etary"u8.ToArray(), false);

        Assert.Equal([2], used);
    }

    [Theory]
    [InlineData("sk-live/a+b=\"c\"&d~é")]
    [InlineData("12345678")]
    [InlineData("a secret of\nmore lines")]
    public void A_secret_is_found_in_each_of_its_forms(string secret)
    {
        var words = new Replacements(SecretForms.Of(secret).Select(form => (form, "*", 0)));
        var bytes = Encoding.UTF8.GetBytes(secret);
        string[] texts =
        [
            SecretForms.Raw(secret), System.Text.Json.JsonSerializer.Serialize(secret), Uri.EscapeDataString(secret),
            System.Net.WebUtility.UrlEncode(secret), SecretForms.Raw(System.Net.WebUtility.HtmlEncode(secret)),
            Convert.ToHexString(bytes), Convert.ToHexStringLower(bytes),
            .. Enumerable.Range(0, 4).Select(i => Convert.ToBase64String(
                (byte[])[.. Encoding.UTF8.GetBytes("user"[..i]), .. bytes, 1, 2])),
        ];

        Assert.All(texts, text => Assert.Contains("*", words.In(text, []), StringComparison.Ordinal));
    }

    /// <param name="endIsKnown">Whether the last piece is known to be the last.</param>
    private static string Through(bool endIsKnown, params string[] pieces)
    {
        var body = new ReplacedBody(Words, []);
        var text = new StringBuilder();
        for (var i = 0; i < pieces.Length; i++)
        {
            var isLast = endIsKnown && i == pieces.Length - 1;
            text.Append(Text(body.Next(Encoding.Latin1.GetBytes(pieces[i]), isLast)));
        }

        return text.Append(Text(body.End())).ToString();
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.Latin1.GetString(bytes.Span);
}
