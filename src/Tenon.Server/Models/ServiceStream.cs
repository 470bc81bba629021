using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Tenon.Server.Models;

/// <summary>
/// Turns a provider's stream, which may throw anything, into one that keeps the promises of <see cref="IModel"/>.
/// </summary>
internal static class ServiceStream
{
    /// <param name="answer">
    /// The provider's stream; it ends with <see cref="ModelChunk.Finished"/> when the answer is whole.
    /// </param>
    /// <param name="error">Reads the provider's exceptions; null when this one is not the provider's word.</param>
    public static async IAsyncEnumerable<ModelChunk> Guard(
        Func<ServiceCall, IAsyncEnumerable<ModelChunk>> answer,
        Func<Exception, ServiceError?> error,
        ServiceIdentity service,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var call = new ServiceCall(service.Time, cancellationToken);
        await using var chunks = answer(call).GetAsyncEnumerator(call.Token);
        while (true)
        {
            ModelChunk? chunk;
            try
            {
                chunk = await chunks.MoveNextAsync() ? chunks.Current : Cut(service);
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                // A cancelled request surfaces as whatever the transport was doing; the caller is owed one kind.
                throw new OperationCanceledException(cancellationToken);
            }
            catch (Exception exception)
            {
                // The seam promises that nothing the service or its SDK does leaves as an exception.
                chunk = new ModelChunk.Finished(Fault(exception, error(exception), call, service));
            }

            yield return chunk;
            if (chunk is ModelChunk.Finished)
            {
                yield break;
            }
        }
    }

    /// <summary>A request that cannot be sent to any service.</summary>
    public static IAsyncEnumerable<ModelChunk> Failed(ModelFaultKind kind, string problem) =>
        new ModelChunk[] { new ModelChunk.Finished(ModelResponse.Failed(kind, problem)) }.ToAsyncEnumerable();

    private static ModelChunk.Finished Cut(ServiceIdentity service) => new(ModelResponse.Failed(
        ModelFaultKind.Unavailable, $"{service.Name} ended the stream before the answer was complete."));

    private static ModelResponse Fault(
        Exception exception, ServiceError? error, ServiceCall call, ServiceIdentity service)
    {
        if (call.WentSilent)
        {
            return ModelResponse.Failed(
                ModelFaultKind.Unavailable,
                $"{service.Name} sent nothing for {ServiceCall.SilenceMax.TotalSeconds:0} seconds.");
        }

        if (error is not null)
        {
            return ServiceFault.Of(error, call.RetryAfter, service);
        }

        return ModelResponse.Failed(ModelFaultKind.Unavailable, $"{service.Name} {WentWrong(exception)}");
    }

    // The exceptions' own messages are not shown: they name hosts and ports of the operator's network.
    private static string WentWrong(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError }:
                    return "could not be reached.";
                case HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError }:
                    return "could not be reached: its name is not known.";
                case HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }:
                    return "could not be reached: the TLS handshake failed.";
                case HttpRequestException or IOException or SocketException:
                    return "broke off the connection before the answer was complete.";
            }
        }

        return $"sent an answer that could not be understood ({exception.GetType().Name}).";
    }
}

/// <summary>Who is asked, and what must never appear in a message about it.</summary>
internal sealed record ServiceIdentity(string Name, string? Secret, TimeProvider Time);
