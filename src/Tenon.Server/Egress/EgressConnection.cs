using System.Net.Sockets;

namespace Tenon.Server.Egress;

/// <summary>
/// One connection of a sandbox to the proxy: a request after the other, until one opens a tunnel or ends it. A request
/// that two parsers could read differently is refused, and the connection with it.
/// </summary>
internal sealed class EgressConnection(EgressSession session, EgressTunnels tunnels, NetworkStream client) : IDisposable
{
    /// <summary>For a head to come whole; a connection without a request is kept open for so long, too.</summary>
    private static readonly TimeSpan HeadTime = TimeSpan.FromSeconds(60);

    private const int HttpPort = 80;

    private readonly WireReader _reader = new(client);
    private EgressExchange? _upstream;

    public async Task Serve(CancellationToken cancellationToken)
    {
        try
        {
            while (await Next(cancellationToken))
            {
                // One request at a time: what follows waits in the socket.
            }
        }
        catch (BadHeadException exception)
        {
            // What the sandbox sent is not HTTP, or could be read in two ways.
            await session.RefuseUnread(exception.Message, cancellationToken);
            await EgressAnswer.Write(client, 400, $"the request was refused: {exception.Message}", cancellationToken);
        }
    }

    public void Dispose()
    {
        _upstream?.Dispose();
        _reader.Dispose();
    }

    /// <returns>Whether another request may follow.</returns>
    private async Task<bool> Next(CancellationToken cancellationToken)
    {
        HttpHead? head;
        using (var time = new CancellationTokenSource(HeadTime, session.Clock))
        using (var both = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken))
        {
            head = await _reader.ReadHead(isAnswer: false, both.Token);
        }

        return head is not null && (head.Start[0] == "CONNECT"
            ? await Tunnel(head, cancellationToken)
            : await Forward(head, cancellationToken));
    }

    private async Task<bool> Tunnel(HttpHead head, CancellationToken cancellationToken)
    {
        var target = head.Start[1];
        var (host, port) = Authority(target, null);
        if (head.Single("host") is { } named && !SameAuthority(named, host, port, port))
        {
            throw new BadHeadException("the host it names is not the one it connects to");
        }

        if (!head.RequestBody().IsEmpty)
        {
            throw new BadHeadException("CONNECT has no body");
        }

        var opened = await session.Open("CONNECT", host, port, cancellationToken);
        if (opened.Socket is null)
        {
            await EgressAnswer.Write(client, opened.Status, opened.Reason, cancellationToken);
            return false;
        }

        using var tunnel = new EgressTunnel(session, opened.Request, opened.Socket);
        using var entry = tunnels.Add(tunnel);
        await tunnel.Run(client, _reader, cancellationToken);
        return false;
    }

    private async Task<bool> Forward(HttpHead head, CancellationToken cancellationToken)
    {
        const string Scheme = "http://";
        var target = head.Start[1];
        if (!target.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            throw new BadHeadException("a proxy needs the whole URL (http://…), and CONNECT for https");
        }

        var slash = target.IndexOfAny(['/', '?'], Scheme.Length);
        var authority = target[Scheme.Length..(slash < 0 ? target.Length : slash)];
        var path = slash < 0 ? "/" : target[slash] == '?' ? "/" + target[slash..] : target[slash..];
        var (host, port) = Authority(authority, HttpPort);
        if (head.Single("host") is not { } named || !SameAuthority(named, host, port, HttpPort))
        {
            throw new BadHeadException("its Host is not that of its URL");
        }

        var body = head.RequestBody();
        var exchange = await Exchange(head.Start[0], host, port, cancellationToken);
        if (exchange is null)
        {
            return false;
        }

        head.Set("Host", authority);
        return await exchange.Run(head, $"{head.Start[0]} {path} HTTP/1.1", body, cancellationToken);
    }

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
        if (opened.Socket is null)
        {
            await EgressAnswer.Write(client, opened.Status, opened.Reason, cancellationToken);
            return null;
        }

        return _upstream = new EgressExchange(
            session, opened.Request, new NetworkStream(opened.Socket, ownsSocket: true), client, _reader);
    }

    /// <param name="usualPort">Of the scheme; null when a port must be given.</param>
    private static (string Host, int Port) Authority(string text, int? usualPort)
    {
        var colon = text.LastIndexOf(':');
        var host = (colon < 0 ? text : text[..colon]).ToLowerInvariant();
        var port = usualPort;
        if (colon >= 0)
        {
            port = ushort.TryParse(text.AsSpan(colon + 1), System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture, out var given) && given > 0
                    ? given
                    : throw new BadHeadException("its port is not sound");
        }

        return host.Length > 0 && !host.Contains('@', StringComparison.Ordinal) && port is { } sound
            ? (host, sound)
            : throw new BadHeadException("its target is not a host and a port");
    }

    private static bool SameAuthority(string text, string host, int port, int usualPort) =>
        Authority(text, usualPort) == (host, port);
}
