using System.Net.Http.Headers;
using System.Text.Json;
using Tenon.Wire.Http;
using Xunit;

namespace Tenon.Server.Tests.Support;

/// <summary>What the server answered to one request.</summary>
public sealed record Answer(int Status, JsonElement Json, HttpResponseHeaders Headers)
{
    private static readonly Dictionary<int, string> ErrorTypesByStatus = new()
    {
        [400] = ErrorTypes.InvalidRequest,
        [401] = ErrorTypes.Authentication,
        [404] = ErrorTypes.NotFound,
        [405] = ErrorTypes.InvalidRequest,
        [409] = ErrorTypes.Conflict,
        [413] = ErrorTypes.TooLarge,
        [500] = ErrorTypes.Api,
        [503] = ErrorTypes.Api,
        [529] = ErrorTypes.Overloaded,
    };

    public static async Task<Answer> Read(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(
            response.Content.Headers.ContentType?.MediaType == "application/json",
            $"{(int)response.StatusCode} is not JSON: {text}");
        return new Answer((int)response.StatusCode, JsonElement.Parse(text), response.Headers);
    }

    public string RequestId => Assert.Single(Headers.GetValues("request-id"));

    /// <summary>The body of a request that succeeded.</summary>
    public JsonElement Ok()
    {
        Assert.True(Status == 200, $"{Status}: {Json}");
        Assert.StartsWith("req_", RequestId, StringComparison.Ordinal);
        return Json;
    }

    /// <summary>
    /// Checks the whole envelope of a refusal. <paramref name="path"/> is the field in wire names that the message
    /// starts with, or the message's first words where the body as a whole is refused.
    /// </summary>
    public Answer Refused(int status, string path, string? errorCode = null)
    {
        Assert.True(Status == status, $"{Status}: {Json}");
        var message = Json.Text("error.message");
        Assert.True(message == path || message.StartsWith(path, StringComparison.Ordinal), message);
        var details = errorCode is null ? "" : $$""","details":{"error_code":"{{errorCode}}"}""";
        var type = ErrorTypesByStatus[status];
        var escaped = Json.At("error.message").GetRawText();
        JsonAssert.Equal(
            "{\"type\":\"error\",\"error\":{\"type\":\"" + type + "\",\"message\":" + escaped + details
                + "},\"request_id\":\"" + RequestId + "\"}",
            Json);
        Assert.Equal(status == 409, Headers.TryGetValues("x-should-retry", out var retry) && retry.Single() == "false");
        return this;
    }
}

/// <summary>Reads JSON by dotted paths: <c>agent.tools.0.name</c>.</summary>
public static class JsonPaths
{
    public static JsonElement At(this JsonElement json, string path) => path.Split('.').Aggregate(
        json, (element, part) =>
            element.ValueKind == JsonValueKind.Array ? element[int.Parse(part)] : element.GetProperty(part));

    public static string Text(this JsonElement json, string path) => json.At(path).GetString()!;

    public static IReadOnlyList<string> Texts(this JsonElement json, string path) =>
        [.. json.EnumerateArray().Select(item => item.Text(path))];

    public static bool Has(this JsonElement json, string name) => json.TryGetProperty(name, out _);

    /// <summary>The members' names, in order.</summary>
    public static IReadOnlyList<string> Names(this JsonElement json) =>
        [.. json.EnumerateObject().Select(member => member.Name)];
}

/// <summary>Compares JSON as values: the order of members and the spelling of strings do not matter.</summary>
public static class JsonAssert
{
    public static void Equal(string expected, JsonElement actual)
    {
        if (!JsonElement.DeepEquals(JsonElement.Parse(expected), actual))
        {
            Assert.Equal(Indented(JsonElement.Parse(expected)), Indented(actual));
            Assert.Fail($"Expected {expected}, not {actual}");
        }
    }

    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true };

    private static string Indented(JsonElement json) => JsonSerializer.Serialize(json, Options);
}
