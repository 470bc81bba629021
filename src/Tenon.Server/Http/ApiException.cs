using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Tenon.Wire;
using Tenon.Wire.Http;

namespace Tenon.Server.Http;

/// <summary>
/// A request that is refused, with what the client is told. Thrown by the rules and turned into the documented envelope
/// in one place (<see cref="Errors"/>).
/// </summary>
[SuppressMessage("Design", "CA1032", Justification = "A refusal without a status and a type cannot be answered.")]
public sealed class ApiException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal => refusal;

    /// <summary>Of a conflict of paths: the memory that has the path, and its own.</summary>
    public string? ConflictingMemoryId { get; init; }

    public string? ConflictingPath { get; init; }

    /// <summary>
    /// 400: the field at <paramref name="path"/> (wire names; empty for the whole body) is not acceptable.
    /// </summary>
    public static ApiException Invalid(string path, string message, string? errorCode = null) =>
        new(new Refusal(400, ErrorTypes.InvalidRequest, path.Length == 0 ? message : $"{path}: {message}", errorCode));

    /// <summary>400 for a body that is not the JSON it should be.</summary>
    public static ApiException Invalid(JsonException exception)
    {
        var (path, message) = WireError.Describe(exception);
        return Invalid(path, message);
    }

    /// <summary>
    /// Refuses a list with a null in it: the serializer checks whether a field may be null, and not the elements of a
    /// list.
    /// </summary>
    public static void RefuseNulls<T>(string path, IReadOnlyList<T>? list) where T : class
    {
        for (var i = 0; i < list?.Count; i++)
        {
            if (list[i] is null)
            {
                throw Invalid($"{path}.{i}", "null is not allowed");
            }
        }
    }

    /// <summary>400: Tenon does not do this yet.</summary>
    public static ApiException NotYet(string path, string what) =>
        Invalid(path, $"{what} not supported by this version of Tenon; docs/compatibility.md lists what is.");

    public static ApiException NotFound(string what, string id) =>
        new(new Refusal(404, ErrorTypes.NotFound, $"{what} '{id}' was not found.", null));

    public static ApiException Conflict(string message) => new(new Refusal(409, ErrorTypes.Conflict, message, null));
}

/// <summary>A refusal as data: it crosses from a session's owner to the request that asked.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Type">One of <see cref="ErrorTypes"/>.</param>
/// <param name="Message">For a person: what, where, and what to do. Never a secret.</param>
/// <param name="ErrorCode">A stable word for the reason, or null.</param>
[GenerateSerializer]
[Alias("Tenon.Refusal")]
public sealed record Refusal(int Status, string Type, string Message, string? ErrorCode)
{
    /// <summary>503: this process only reads sessions.</summary>
    public static Refusal Standby { get; } = new(503, ErrorTypes.Api,
        "Another process on this database runs the sessions; this one serves what only reads them, and takes over when "
        + "that one ends. Send this to the other, or try again.", null);
}
