using System.Net.Sockets;
using System.Security.Authentication;

namespace Tenon.Server.Egress;

/// <summary>
/// Reads requests of one connection and passes them on, each decided anew: to the last one's host over the connection
/// that is there, else over another.
/// </summary>
/// <param name="upstreamTls">How the host is spoken to; null for plain HTTP.</param>
internal sealed class EgressForward(
    EgressSession session, Stream client, WireReader reader, UpstreamTls? upstreamTls) : IDisposable
{
    /// <summary>For a head to come whole; a connection without a request is kept open for so long, too.</summary>
    private static readonly TimeSpan HeadTime = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(10);

    private EgressExchange? _upstream;
    private CredentialWords? _words;

    /// <summary>Null when the sandbox has ended the connection.</summary>
    public async Task<HttpHead?> Next(CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(HeadTime, session.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        return await reader.ReadHead(isAnswer: false, both.Token);
    }

    /// <returns>Whether another request may follow.</returns>
    public async Task<bool> Pass(
        HttpHead head, string host, int port, string path, CancellationToken cancellationToken)
    {
        var body = head.RequestBody();
        var method = head.Start[0];
        var exchange = await Exchange(method, host, port, cancellationToken);
        return exchange is not null && await exchange.Run(
            new ForwardedRequest(head, $"{method} {path} HTTP/1.1", body, await Use(exchange, cancellationToken)),
            cancellationToken);
    }

    public void Dispose() => _upstream?.Dispose();

    /// <summary>The last request's connection when it was to the same host, decided anew; else another.</summary>
    private async Task<EgressExchange?> Exchange(
        string method, string host, int port, CancellationToken cancellationToken)
    {
        if (_upstream is { IsOpen: true } last && last.Host == host && last.Port == port
            && await session.Allows(host, port, cancellationToken))
        {
            await last.Begin(method, cancellationToken);
            return last;
        }

        _upstream?.Dispose();
        _upstream = null;
        var opened = await session.Open(method, host, port, cancellationToken);
        if (opened.Socket is { } socket)
        {
            (opened, var stream) = await Secure(opened, socket, cancellationToken);
            if (stream is not null)
            {
                return _upstream = new EgressExchange(
                    session, opened.Request, new Upstream(socket, stream), client, reader);
            }
        }

        await EgressAnswer.Write(client, opened.Status, opened.Reason, cancellationToken);
        return null;
    }

    private async Task<(Opened Opened, Stream? Stream)> Secure(
        Opened opened, Socket socket, CancellationToken cancellationToken)
    {
        var plain = new NetworkStream(socket, ownsSocket: true);
        if (upstreamTls is null)
        {
            return (opened, plain);
        }

        using var time = new CancellationTokenSource(HandshakeTime, session.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        var host = opened.Request.Host;
        try
        {
            return (opened, await upstreamTls.Connect(plain, host, both.Token));
        }
        catch (Exception exception) when (exception is AuthenticationException or IOException or SocketException)
        {
            // Not the host that it should be, or no TLS at all: the sandbox is told which.
            return (await session.Fail(
                opened.Request, 502, $"TLS with {host} failed: {exception.Message}", cancellationToken), null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Its own time ran out.
            return (await session.Fail(
                opened.Request, 504, $"TLS with {host} took longer than {HandshakeTime.TotalSeconds} s",
                cancellationToken), null);
        }
    }

    // NOTE: over plain HTTP no secret is sent; an answer may have one that the host knows from elsewhere.
    private async Task<CredentialUse?> Use(EgressExchange exchange, CancellationToken cancellationToken)
    {
        var credentials = await session.CredentialsFor(exchange.Host, exchange.Port, cancellationToken);
        if (credentials.Count == 0)
        {
            return null;
        }

        _words = _words is { } known && known.AreOf(credentials) ? known : new CredentialWords(credentials);
        return new CredentialUse(_words, upstreamTls is not null);
    }
}
