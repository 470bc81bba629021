using CsCheck;
using System.Text;
using System.Text.Json;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// Bodies that are nearly right: a valid one with fields dropped, doubled, renamed or of another kind, and sometimes
/// with bytes that are no JSON at all. A generator, so that a failure prints the seed that makes the same body again.
/// </summary>
public static class FuzzedJson
{
    private const int ChangesMax = 3;

    /// <summary>
    /// What stands in the place of a value. Some are not text a <see cref="JsonElement"/> can give back.
    /// </summary>
    private static readonly string[] Values =
    [
        "null", "true", "5", "0", "-1", "1e999", "0.5", "123456789012345678901234567890", "\"\"", "\"x\"", "\" \"",
        "[]", "{}", "[null]", "[[]]", "[{}]", "[\"a\",\"a\"]", "{\"type\":null}", "{\"type\":5}", "{\"type\":\"x\"}",
        "{\"a\":null}", "{\"\":\"\"}", "\"\\ud800\"", "\"\\udc00\\ud800\"", "[\"\\ud800\"]", "{\"k\":\"\\ud800\"}",
        "{\"\\ud800\":\"k\"}", "{\"type\":\"\\ud800\"}", "\"\\u0000\"", "\"a\\u0000b\"", "\"\\u2028\\ufeff\\uffff\"",
        "\"self\"", "\"text\"", "\"url\"", "\"limited\"", "\"user.interrupt\"", "\"agent_with_overrides\"",
        "\"2020-01-01T00:00:00Z\"", "[{\"type\":\"text\",\"text\":\"\\ud800\"}]",
        Huge(70_000), "\"" + new string('\u65e5', 600) + "\"", Nested("[", "]", 70), Nested("{\"a\":", "}", 58),
        Nested("[", "]", 61), Nested("{\"properties\":", "}", 2_000), Nested("[", "]", 57),
    ];

    private static readonly Gen<Change> Changes = Gen.Select(
        Gen.Int[0, 60], Gen.Enum<ChangeKind>(), Gen.OneOf(Values), (place, kind, value) =>
            new Change(place, kind, value));

    /// <summary>A body made from one of these.</summary>
    public static Gen<byte[]> From(params string[] valid) => Gen.Frequency<byte[]>(
        (12, Gen.Select(Gen.OneOf(valid), Changes.Array[1, ChangesMax], (body, changes) =>
            Encoding.UTF8.GetBytes(changes.Aggregate(body, Apply)))),
        (2, Gen.Select(Gen.OneOf(valid), Gen.Int[0, 400], Gen.Byte, Corrupt)),
        (1, Gen.OneOf(Values).Select(Encoding.UTF8.GetBytes)),
        (1, Gen.OneOf<byte[]>([], [0], [0xff, 0xfe], [0xef, 0xbb, 0xbf, .. "{}"u8], [.. "{\"a\":"u8])));

    private static string Apply(string body, Change change)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 10_000 });
            var text = new StringBuilder();
            var place = change.Place % Count(document.RootElement);
            Write(document.RootElement, text, change, ref place);
            return text.ToString();
        }
        catch (JsonException)
        {
            // A change before this one made what cannot be read any more; it is sent as it is.
            return body;
        }
    }

    private static void Write(JsonElement json, StringBuilder text, Change change, ref int place)
    {
        if (place-- == 0)
        {
            text.Append(change.Kind == ChangeKind.Wrap ? $"[{json.GetRawText()}]" : change.Value);
            return;
        }

        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                text.Append('{');
                WriteMembers(json, text, change, ref place);
                text.Append('}');
                break;
            case JsonValueKind.Array:
                text.Append('[');
                for (var i = 0; i < json.GetArrayLength(); i++)
                {
                    text.Append(i > 0 ? "," : "");
                    Write(json[i], text, change, ref place);
                }

                text.Append(']');
                break;
            default:
                text.Append(json.GetRawText());
                break;
        }
    }

    private static void WriteMembers(JsonElement json, StringBuilder text, Change change, ref int place)
    {
        var members = new List<string>();
        foreach (var member in json.EnumerateObject())
        {
            var isHere = place == 0;
            var name = JsonMarshalName(member);
            var value = new StringBuilder();
            Write(member.Value, value, change, ref place);
            if (!isHere || change.Kind is ChangeKind.Replace or ChangeKind.Wrap)
            {
                members.Add($"{name}:{value}");
            }
            else if (change.Kind != ChangeKind.Drop)
            {
                members.Add($"{name}:{member.Value.GetRawText()}");
                members.Add(change.Kind == ChangeKind.Double
                    ? $"{name}:{change.Value}" : $"\"unknown\\u0000\\ud83d\\ude00\":{change.Value}");
            }
        }

        text.AppendJoin(',', members);
    }

    /// <summary>The name as it was written: one with half a surrogate pair cannot be read as text.</summary>
    private static string JsonMarshalName(JsonProperty member) =>
        $"\"{Encoding.UTF8.GetString(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8PropertyName(member))}\"";

    private static int Count(JsonElement json) => 1 + json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().Sum(member => Count(member.Value)),
        JsonValueKind.Array => json.EnumerateArray().Sum(Count),
        _ => 0,
    };

    /// <summary>One byte put in, or the rest cut off there.</summary>
    private static byte[] Corrupt(string body, int place, byte odd)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var at = place % bytes.Length;
        return odd % 4 == 0 ? bytes[..at] : [.. bytes[..at], odd, .. bytes[at..]];
    }

    private static string Huge(int length) => "\"" + new string('h', length) + "\"";

    private static string Nested(string open, string close, int depth) =>
        string.Concat(Enumerable.Repeat(open, depth)) + "1" + string.Concat(Enumerable.Repeat(close, depth));

    private enum ChangeKind
    {
        Replace,
        Drop,
        Double,
        Unknown,
        Wrap,
    }

    private sealed record Change(int Place, ChangeKind Kind, string Value);
}
