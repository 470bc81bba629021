using System.Text.Json;
using System.Text.RegularExpressions;

namespace Tenon.Wire;

/// <summary>Turns the serializer's exceptions into a field path in wire names and a sentence for a person.</summary>
public static partial class WireError
{
    internal const string InnerPathKey = "tenon.inner_path";

    /// <summary>
    /// An error about the field at <paramref name="path"/> (such as <c>.type</c>) below the value being read.
    /// </summary>
    internal static JsonException At(string path, string message)
    {
        var exception = new JsonException(message);
        exception.Data[InnerPathKey] = path;
        return exception;
    }

    /// <summary>The same error as seen by the value that encloses the one just read.</summary>
    internal static JsonException Outwards(JsonException inner)
    {
        var (path, message) = Split(inner);
        return At(path, message);
    }

    /// <summary>
    /// The path in wire names (<c>events.0.content</c>; empty for the body itself) and what is wrong there.
    /// </summary>
    public static (string Path, string Message) Describe(JsonException exception)
    {
        var (path, message) = Split(exception);
        return (Index().Replace(path, ".$1").TrimStart('.'), message);
    }

    private static (string Path, string Message) Split(JsonException exception)
    {
        var path = (exception.Path ?? "$")[1..] + (exception.Data[InnerPathKey] as string);
        var message = exception.Message;
        if (Missing().Match(message) is { Success: true } missing)
        {
            return ($"{path}.{missing.Groups[1].Value}", "field required");
        }

        if (NullNotAllowed().Match(message) is { Success: true })
        {
            return (path, "null is not allowed");
        }

        if (exception.InnerException is null
            && !message.Contains("The JSON value could not be converted", StringComparison.Ordinal))
        {
            return (path, Position().Replace(message, "").TrimEnd('.', ' '));
        }

        return (path, message.Contains("could not be converted", StringComparison.Ordinal)
            ? "the value has the wrong type"
            : Position().Replace(message, "").TrimEnd('.', ' '));
    }

    [GeneratedRegex(@"\[(\d+)\]")]
    private static partial Regex Index();

    [GeneratedRegex("missing required properties including: '([^']+)'")]
    private static partial Regex Missing();

    [GeneratedRegex("doesn't allow (setting )?null")]
    private static partial Regex NullNotAllowed();

    [GeneratedRegex(@" ?(Path: .*)?\|? ?LineNumber: .*$")]
    private static partial Regex Position();
}
