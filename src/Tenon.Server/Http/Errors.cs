using Microsoft.AspNetCore.Diagnostics;
using System.Text.Json;
using Tenon.Server.Events;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Http;

namespace Tenon.Server.Http;

/// <summary>
/// The only place that answers a failed request: every one of them in the documented envelope (api 0.5).
/// </summary>
public sealed partial class Errors(ILogger<Errors> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(
        HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.Response.HasStarted)
        {
            return false;
        }

        await Write(httpContext, Describe(exception, httpContext), exception as ApiException);
        return true;
    }

    /// <summary>Answers what routing refused: an unknown path, or a known one with another verb.</summary>
    public static Task WriteStatus(HttpContext context) => Write(context, context.Response.StatusCode switch
    {
        404 => new Refusal(404, ErrorTypes.NotFound,
            $"{context.Request.Method} {context.Request.Path} is not served by this version of Tenon; "
            + "docs/compatibility.md lists what is.", null),
        405 => new Refusal(405, ErrorTypes.InvalidRequest,
            $"{context.Request.Path} does not take {context.Request.Method}.", null),
        var status =>
            new Refusal(status, ErrorTypes.InvalidRequest, $"The request was refused with status {status}.", null),
    });

    /// <param name="exception">What the refusal came as, which may know more of it.</param>
    public static async Task Write(HttpContext context, Refusal refusal, ApiException? exception = null)
    {
        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = "application/json";
        if (refusal.Status is 409 or 501)
        {
            // The official clients would send the same request again, to be refused again.
            context.Response.Headers["x-should-retry"] = "false";
        }

        var envelope = new ErrorEnvelope
        {
            Error = new ErrorBody
            {
                Type = refusal.Type,
                Message = refusal.Message,
                Details = refusal.ErrorCode is { } code ? new ErrorDetails { ErrorCode = code } : null,
                ConflictingMemoryId = exception?.ConflictingMemoryId,
                ConflictingPath = exception?.ConflictingPath,
            },
            RequestId = RequestId.Of(context),
        };
        await JsonSerializer.SerializeAsync(context.Response.Body, envelope, WireJson.Default.ErrorEnvelope);
    }

    private Refusal Describe(Exception exception, HttpContext context)
    {
        switch (exception)
        {
            case ApiException refused:
                return refused.Refusal;
            case JsonException json:
                return ApiException.Invalid(json).Refusal;
            case BadHttpRequestException { StatusCode: 413 }:
                return Body.TooLarge(Body.LimitOf(context));
            case BadHttpRequestException bad:
                return new Refusal(bad.StatusCode, ErrorTypes.InvalidRequest, bad.Message, null);
            case var fault when DatabaseFault.IsDamage(fault):
                DatabaseAway(context.Request.Path, exception);
                return new Refusal(500, ErrorTypes.Api, DiskTrouble.Of(fault)!.Message, null);
            case LogUnavailableException:
                LogUnavailable(context.Request.Path, exception);
                return new Refusal(529, ErrorTypes.Overloaded,
                    DiskTrouble.Of(exception)?.Message ?? "The event log takes nothing now; try again shortly.", null);
            case BlobsAwayException away:
                LogBlobsAway(context.Request.Path, exception);
                return new Refusal(503, ErrorTypes.Api, away.Message, null);
            case NotOwnerException:
                return Refusal.Standby;
            case var fault when DatabaseFault.IsOutage(fault):
                DatabaseAway(context.Request.Path, exception);
                return new Refusal(503, ErrorTypes.Api,
                    DiskTrouble.Of(fault)?.Message ?? "The database cannot be reached now; try again shortly.", null);
            case var fault when DatabaseFault.IsImpossibleText(fault):
                return new Refusal(400, ErrorTypes.InvalidRequest,
                    "An id or a filter of this request holds the character U+0000, which no text here has.", null);
            default:
                LogCrash(context.Request.Method, context.Request.Path, RequestId.Of(context), exception);
                return new Refusal(500, ErrorTypes.Api,
                    "The server failed on this request. Its log has the cause under this request id.", null);
        }
    }

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed ({RequestId})")]
    private partial void LogCrash(string method, string path, string requestId, Exception exception);

    [LoggerMessage(LogLevel.Error, "The database did not answer {Path}")]
    private partial void DatabaseAway(string path, Exception exception);

    [LoggerMessage(LogLevel.Error, "The store of the files did not answer {Path}")]
    private partial void LogBlobsAway(string path, Exception exception);

    [LoggerMessage(LogLevel.Error, "The log did not take what {Path} sent")]
    private partial void LogUnavailable(string path, Exception exception);
}
