using System.Net;
using System.Text;
using System.Text.Encodings.Web;

namespace Tenon.Server.Egress;

/// <summary>
/// The forms in which a host may give a secret back without having changed it: as it is, and as the common encodings
/// write it. Not all there are: a host that wants to can always say it in another way.
/// </summary>
internal static class SecretForms
{
    private const int Base64Bits = 6;
    private const int ByteBits = 8;

    /// <summary>Bytes as Latin-1 letters, as <see cref="Replacements"/> has them.</summary>
    public static string Raw(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>As it stands in a JSON string.</summary>
    public static string Json(string text) => Raw(JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(text));

    /// <summary>As it stands in the body of a form, and in a query.</summary>
    public static string Form(string text) => Raw(WebUtility.UrlEncode(text));

    public static IEnumerable<string> Of(string secret)
    {
        var bytes = Encoding.UTF8.GetBytes(secret);
        var percent = Uri.EscapeDataString(secret);
        IEnumerable<string> forms =
        [
            Raw(secret),
            Json(secret), Json(secret).Replace("/", "\\/", StringComparison.Ordinal),
            JavaScriptEncoder.Default.Encode(secret),
            percent, LowerEscapes(percent), Form(secret), LowerEscapes(Form(secret)),
            Raw(WebUtility.HtmlEncode(secret)), HtmlEncoder.Default.Encode(secret),
            Convert.ToHexString(bytes), Convert.ToHexStringLower(bytes),
            .. Enumerable.Range(0, 3).SelectMany(place => Base64(bytes, place)),
        ];

        return forms.Where(form => form.Length >= EgressCredential.SecretBytesMin).Distinct(StringComparer.Ordinal);
    }

    /// <summary>What of base64 is the secret's alone, when so many bytes stand before it in a group of three.</summary>
    private static IEnumerable<string> Base64(byte[] secret, int before)
    {
        var from = ((before * ByteBits) + Base64Bits - 1) / Base64Bits;
        var to = (before + secret.Length) * ByteBits / Base64Bits;
        var text = Convert.ToBase64String((byte[])[.. new byte[before], .. secret])[from..to];
        return [text, text.Replace('+', '-').Replace('/', '_')];
    }

    private static string LowerEscapes(string text)
    {
        var lower = new StringBuilder(text);
        for (var i = 0; i + 2 < lower.Length; i++)
        {
            if (lower[i] == '%')
            {
                lower[i + 1] = char.ToLowerInvariant(lower[i + 1]);
                lower[i + 2] = char.ToLowerInvariant(lower[i + 2]);
            }
        }

        return lower.ToString();
    }
}
