using Tenon.Wire;

namespace Tenon.Server.Http;

/// <summary>Names every request: in the <c>request-id</c> header of its answer, and in the log when it fails.</summary>
public static class RequestId
{
    private const string Header = "request-id";

    public static string Of(HttpContext context) => context.Items[Header] as string ?? "";

    public static IApplicationBuilder UseRequestId(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        var id = context.RequestServices.GetRequiredService<IdSource>().Next(IdPrefix.Request);
        context.Response.Headers[Header] = id;

        // The exception handler clears the headers before it answers.
        context.Response.OnStarting(() =>
        {
            context.Response.Headers[Header] = id;
            return Task.CompletedTask;
        });
        context.Items[Header] = id;
        return next(context);
    });
}
