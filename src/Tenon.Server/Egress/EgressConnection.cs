using System.Globalization;
using System.Net.Sockets;

namespace Tenon.Server.Egress;

/// <summary>
/// One connection of a sandbox to the proxy: a request after the other, until one opens a tunnel or ends it. A request
/// that two parsers could read differently is refused, and the connection with it.
/// </summary>
internal sealed class EgressConnection : IDisposable
{
    private const int HttpPort = 80;

    private readonly EgressSession _session;
    private readonly EgressTunnels _tunnels;
    private readonly NetworkStream _client;
    private readonly WireReader _reader;
    private readonly EgressForward _forward;

    public EgressConnection(EgressSession session, EgressTunnels tunnels, NetworkStream client)
    {
        (_session, _tunnels, _client) = (session, tunnels, client);
        _reader = new WireReader(client);
        _forward = new EgressForward(session, client, _reader, null);
    }

    public async Task Serve(CancellationToken cancellationToken)
    {
        try
        {
            while (await _forward.Next(cancellationToken) is { } head && (head.Start[0] == "CONNECT"
                ? await Tunnel(head, cancellationToken)
                : await Forward(head, cancellationToken)))
            {
                // One request at a time: what follows waits in the socket.
            }
        }
        catch (BadHeadException exception)
        {
            // What the sandbox sent is not HTTP, or could be read in two ways.
            await _session.RefuseUnread(exception.Message, cancellationToken);
            await EgressAnswer.Write(
                _client, 400, $"the request was refused: {exception.Message}", cancellationToken);
        }
    }

    public void Dispose()
    {
        _forward.Dispose();
        _reader.Dispose();
    }

    /// <param name="usualPort">Of the scheme; null when a port must be given.</param>
    internal static (string Host, int Port) Authority(string text, int? usualPort)
    {
        var colon = text.LastIndexOf(':');
        var host = (colon < 0 ? text : text[..colon]).ToLowerInvariant();
        var port = usualPort;
        if (colon >= 0)
        {
            port = ushort.TryParse(
                text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given > 0
                    ? given
                    : throw new BadHeadException("its port is not sound");
        }

        return host.Length > 0 && !host.Contains('@', StringComparison.Ordinal) && port is { } sound
            ? (host, sound)
            : throw new BadHeadException("its target is not a host and a port");
    }

    private async Task<bool> Tunnel(HttpHead head, CancellationToken cancellationToken)
    {
        var (host, port) = Authority(head.Start[1], null);
        if (head.Single("host") is { } named && Authority(named, port) != (host, port))
        {
            throw new BadHeadException("the host it names is not the one it connects to");
        }

        if (!head.RequestBody().IsEmpty)
        {
            throw new BadHeadException("CONNECT has no body");
        }

        if ((await _session.CredentialsFor(host, port, cancellationToken)).Count > 0)
        {
            return await EndTls(host, port, cancellationToken);
        }

        var opened = await _session.Open("CONNECT", host, port, cancellationToken);
        if (opened.Socket is null)
        {
            await EgressAnswer.Write(_client, opened.Status, opened.Reason, cancellationToken);
            return false;
        }

        using var tunnel = new EgressTunnel(_session, opened.Request, opened.Socket);
        using var entry = _tunnels.Add(new OpenTunnel(host, port, tunnel.Cut));
        await tunnel.Run(_client, _reader, cancellationToken);
        return false;
    }

    private async Task<bool> EndTls(string host, int port, CancellationToken cancellationToken)
    {
        var decided = await _session.Decide("CONNECT", host, port, cancellationToken);
        if (decided.Addresses.Count == 0)
        {
            await EgressAnswer.Write(_client, decided.Opened.Status, decided.Opened.Reason, cancellationToken);
            return false;
        }

        using var end = new EgressTlsEnd(_session, decided.Opened.Request);
        using var entry = _tunnels.Add(new OpenTunnel(host, port, _ => end.Cut()));
        await end.Run(_client, _reader, cancellationToken);
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
        if (head.Single("host") is not { } named || Authority(named, HttpPort) != (host, port))
        {
            throw new BadHeadException("its Host is not that of its URL");
        }

        head.Set("Host", authority);
        return await _forward.Pass(head, host, port, path, cancellationToken);
    }
}
