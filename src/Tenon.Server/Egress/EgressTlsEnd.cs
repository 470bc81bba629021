using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>
/// A connection to a host that has credentials: TLS ends here, the requests inside are read as strictly as those of
/// plain HTTP, and go on over TLS of the proxy's own.
/// </summary>
/// <param name="request">The <c>CONNECT</c>, which was allowed. It is only written down when nothing comes of it: the
/// requests inside have lines of their own.</param>
internal sealed class EgressTlsEnd(EgressSession session, EgressRequest request) : IDisposable
{
    private const int HttpPort = 80;
    private static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _end = new();

    public async Task Run(NetworkStream client, WireReader reader, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_end.Token, cancellationToken);
        await client.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), ending.Token);
        await using var secure = new SslStream(new WireStream(reader, client), leaveInnerStreamOpen: true);
        if (await Accept(secure, reader, ending.Token) is { } reason)
        {
            await session.Fail(request, 502, reason, cancellationToken);
        }
        else if (secure.IsAuthenticated)
        {
            using var inner = new WireReader(secure);
            await Serve(secure, inner, session.Edge!.Upstream, ending.Token);
            await secure.ShutdownAsync();
        }
        else
        {
            // Some clients open a tunnel for plain HTTP, too.
            await Serve(client, reader, null, ending.Token);
        }
    }

    /// <summary>Ends it, from any thread: the rules do not allow the host any more.</summary>
    public void Cut()
    {
        try
        {
            _end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }
    }

    public void Dispose() => _end.Dispose();

    private async Task Serve(
        Stream client, WireReader reader, UpstreamTls? tls, CancellationToken cancellationToken)
    {
        using var forward = new EgressForward(session, client, reader, tls);
        try
        {
            while (await forward.Next(cancellationToken) is { } head
                && await Pass(forward, head, tls is null ? HttpPort : EgressSession.TlsPort, cancellationToken))
            {
                // One request at a time, as without a tunnel.
            }
        }
        catch (BadHeadException exception)
        {
            // As without a tunnel.
            await session.Refuse(request, 400, exception.Message, cancellationToken);
            await EgressAnswer.Write(
                client, 400, $"the request was refused: {exception.Message}", cancellationToken);
        }
    }

    /// <returns>Why the client is not served; null when it is, and then maybe without TLS.</returns>
    private async Task<string?> Accept(SslStream secure, WireReader reader, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(HandshakeTime, session.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            var refused = await ClientHello.Refused(
                reader, request.Host, request.Port == EgressSession.TlsPort, both.Token);
            if (refused is not null || !ClientHello.Starts(reader.Buffered.Span))
            {
                return refused;
            }

            await secure.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = session.Edge!.Authority.For(request.Host),
                    ApplicationProtocols = [SslApplicationProtocol.Http11],
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                },
                both.Token);
            return null;
        }
        catch (Exception exception) when (exception is AuthenticationException or IOException)
        {
            // The client does not trust this proxy, speaks another protocol than HTTP/1.1, or went away.
            return "TLS with the sandbox failed; a host that has credentials is spoken to in HTTP/1.1, by a client "
                + $"that trusts the sandbox's certificates: {exception.GetBaseException().Message}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Its own time ran out.
            return $"the sandbox's TLS was not there after {HandshakeTime.TotalSeconds} s";
        }
    }

    private async Task<bool> Pass(
        EgressForward forward, HttpHead head, int usualPort, CancellationToken cancellationToken)
    {
        var (method, target) = (head.Start[0], head.Start[1]);
        if (target[0] != '/' && (method, target) != ("OPTIONS", "*"))
        {
            throw new BadHeadException("inside a tunnel a request has a path");
        }

        if (head.Single("host") is not { } named
            || EgressConnection.Authority(named, usualPort) != (request.Host, request.Port))
        {
            throw new BadHeadException("its Host is not that of its connection");
        }

        return await forward.Pass(head, request.Host, request.Port, target, cancellationToken);
    }
}
