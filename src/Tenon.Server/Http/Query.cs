using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Tenon.Server.Storage;

namespace Tenon.Server.Http;

/// <summary>
/// Reads query parameters: arrays as <c>name[]=</c> or plain repeats, ranges as <c>created_at[gte]=</c> (api 0.3).
/// </summary>
public static class Query
{
    public static string? Text(this HttpRequest request, string name) =>
        request.Query.TryGetValue(name, out var values) && values.Count > 0 ? values[^1] : null;

    public static IReadOnlyList<string> Texts(this HttpRequest request, string name) =>
        [.. request.Query[name + "[]"].Concat(request.Query[name]).OfType<string>()];

    /// <summary>An array whose words must be among <paramref name="allowed"/>.</summary>
    public static IReadOnlyList<string> Words(this HttpRequest request, string name, params string[] allowed)
    {
        var words = request.Texts(name);
        var bad = words.FirstOrDefault(word => !allowed.Contains(word));
        return bad is null
            ? words
            : throw ApiException.Invalid(name, $"'{bad}' is not one of {string.Join(", ", allowed)}.");
    }

    public static bool Flag(this HttpRequest request, string name) => request.Text(name) switch
    {
        null or "false" => false,
        "true" => true,
        var other => throw ApiException.Invalid(name, $"'{other}' is neither true nor false."),
    };

    public static int? Number(this HttpRequest request, string name, int min, int max) => request.Text(name) switch
    {
        null => null,
        var text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= min && number <= max => number,
        var text => throw ApiException.Invalid(name, $"'{text}' is not a number from {min} to {max}."),
    };

    public static bool IsDescending(this HttpRequest request, string byDefault) =>
        (request.Text("order") ?? byDefault) switch
        {
            "asc" => false,
            "desc" => true,
            var other => throw ApiException.Invalid("order", $"'{other}' is neither asc nor desc."),
        };

    /// <summary>The bounds of <c>created_at[gt|gte|lt|lte]</c>, both inclusive, in Unix microseconds.</summary>
    public static (long? From, long? To) CreatedAt(this HttpRequest request)
    {
        var from = Max(request.Time("created_at[gte]"), request.Time("created_at[gt]") + 1);
        var to = Min(request.Time("created_at[lte]"), request.Time("created_at[lt]") - 1);
        return (from, to);

        static long? Max(long? a, long? b) => a is null ? b : b is null ? a : Math.Max(a.Value, b.Value);
        static long? Min(long? a, long? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);
    }

    private static long? Time(this HttpRequest request, string name) => request.Text(name) switch
    {
        null => null,
        var text when DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.RoundtripKind, out var time) => time.ToMicroseconds(),
        var text => throw ApiException.Invalid(name, $"'{text}' is not an RFC 3339 timestamp."),
    };
}

/// <summary>An opaque place in a list. It remembers the list and its order, so that it fits no other.</summary>
public sealed record Cursor(string List, bool Descending, bool Backwards, string Position)
{
    private const string Prefix = "page_";

    public override string ToString() => Prefix + Base64Url.EncodeToString(
        Encoding.UTF8.GetBytes($"{List}|{(Descending ? 'd' : 'a')}{(Backwards ? 'b' : 'f')}|{Position}"));

    /// <summary>The request's <c>page</c>, or null for the first page.</summary>
    public static Cursor? Of(HttpRequest request, string list, bool descending)
    {
        if (request.Text("page") is not { Length: > 0 } text)
        {
            return null;
        }

        var bytes = new byte[text.Length];
        var parts = text.StartsWith(Prefix, StringComparison.Ordinal)
            && Base64Url.IsValid(text.AsSpan(Prefix.Length))
            && Base64Url.TryDecodeFromChars(text.AsSpan(Prefix.Length), bytes, out var count)
                ? Encoding.UTF8.GetString(bytes, 0, count).Split('|')
                : [];
        if (parts is not [var name, [var order, var direction], var position] || name != list)
        {
            throw Foreign();
        }

        return (order == 'd') == descending
            ? new Cursor(list, descending, direction == 'b', position)
            : throw ApiException.Invalid("page", "this cursor was made with another order.");
    }

    /// <summary>The position in a list that is ordered by a number.</summary>
    /// <exception cref="ApiException">400: the cursor was not made here.</exception>
    public long Number() => long.TryParse(Position, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw Foreign();

    public static ApiException Foreign() =>
        ApiException.Invalid("page", "this cursor does not belong to this list.");
}
