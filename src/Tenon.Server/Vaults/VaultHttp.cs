using System.Text;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>
/// The requests that vaults make to token endpoints and MCP servers, by connections that lead only where the operator
/// lets the server go.
/// </summary>
public sealed class VaultHttp(HttpMessageInvoker http) : IDisposable
{
    /// <summary>A token and what belongs to it take a few thousand; a server that sends more is not read on.</summary>
    private const int BodyBytesMax = 64 * 1024;

    /// <summary>What of an answer is shown to whoever asks why it was refused.</summary>
    private const int ShownCharsMax = 2_048;

    /// <summary>A sign-in service that is slower is not to be had.</summary>
    private static readonly TimeSpan TimeMax = TimeSpan.FromSeconds(15);

    /// <summary>The answer and the beginning of its body.</summary>
    /// <param name="readBody">False for an answer of which only the head matters: its body may never end.</param>
    /// <exception cref="HttpRequestException">There is none; the message says why.</exception>
    public async Task<HttpAnswer> Send(
        HttpRequestMessage request, bool readBody, CancellationToken cancellationToken)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(TimeMax);
        try
        {
            using var response = await http.SendAsync(request, time.Token);
            return new HttpAnswer(
                (int)response.StatusCode, response.Content.Headers.ContentType?.ToString() ?? "",
                readBody ? await ReadBody(response.Content, time.Token) : "")
            {
                SessionId = response.Headers.TryGetValues("Mcp-Session-Id", out var ids) ? ids.FirstOrDefault() : null,
            };
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException($"it took longer than {TimeMax.TotalSeconds:0} seconds.");
        }
        catch (IOException exception)
        {
            throw new HttpRequestException(exception.Message, exception);
        }
    }

    /// <summary>What people may see of an answer.</summary>
    public static ProbeResponse Show(HttpAnswer answer, CredentialSecrets secrets, string? clientId)
    {
        // Scrubbed before it is cut: half of a secret is not found.
        var body = secrets.Scrub(answer.Body, clientId);
        return new ProbeResponse
        {
            StatusCode = answer.Status,
            ContentType = secrets.Scrub(answer.ContentType, clientId),
            Body = body.Length > ShownCharsMax ? body[..ShownCharsMax] : body,
            BodyTruncated = body.Length > ShownCharsMax || answer.Body.Length >= BodyBytesMax,
        };
    }

    public void Dispose() => http.Dispose();

    private static async Task<string> ReadBody(HttpContent content, CancellationToken cancellationToken)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[BodyBytesMax];
        var count = await stream.ReadAtLeastAsync(
            buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return Encoding.UTF8.GetString(buffer, 0, count);
    }
}

/// <param name="Body">The beginning; empty where nobody asked for it.</param>
public sealed record HttpAnswer(int Status, string ContentType, string Body)
{
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>The session that an MCP server opened.</summary>
    public string? SessionId { get; init; }
}
