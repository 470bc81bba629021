using System.Net;
using System.Net.Sockets;
using Tenon.Server.Environments;
using Tenon.Wire;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>The rules of a session as they are now.</summary>
public delegate Task<EgressRules> RulesOf(string sessionId, CancellationToken cancellationToken);

/// <summary>Takes a line of the record: when a request is decided, and again when it has ended.</summary>
public delegate ValueTask NoteEgress(EgressRequest request, CancellationToken cancellationToken);

/// <summary>
/// Decides and opens what one session's sandbox asks for, and writes it down. Every request is decided by the rules of
/// its moment.
/// </summary>
internal sealed class EgressSession(string sessionId, EgressSession.Surroundings around)
{
    /// <summary>Where nothing but TLS is spoken.</summary>
    public const int TlsPort = 443;

    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(10);

    public TimeProvider Clock => around.Clock;

    /// <summary>Where TLS may end; null when nowhere.</summary>
    public EgressEdge? Edge => around.Edge;

    /// <summary>Opens a connection to the host, or says why there is none.</summary>
    public async Task<Opened> Open(string method, string host, int port, CancellationToken cancellationToken)
    {
        var decided = await Decide(method, host, port, cancellationToken);
        if (decided.Addresses.Count == 0)
        {
            return decided.Opened;
        }

        var request = decided.Opened.Request;
        await around.Note(request, cancellationToken);
        try
        {
            return await Connect(request, [.. decided.Addresses], cancellationToken);
        }
        catch (SocketException exception)
        {
            // Nothing answers there: the sandbox is told so.
            return await Fail(request, 502, $"{request.Host}: {exception.Message}", cancellationToken);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Its own time ran out.
            return await Fail(request, 504, $"{request.Host} did not answer within {ConnectTime.TotalSeconds} s",
                cancellationToken);
        }
    }

    /// <summary>Judges name and addresses. What is refused is written down, what is allowed is not yet.</summary>
    public async Task<Decided> Decide(string method, string host, int port, CancellationToken cancellationToken)
    {
        var request = Line(method, host, port);
        if (HostName.TryParse(host) is not { } name)
        {
            return new(await Refuse(request, 403, "a host must be given by its name", cancellationToken), []);
        }

        request = request with { Host = name };
        if ((await around.RulesOf(sessionId, cancellationToken)).Refuse(name, port) is { } reason)
        {
            return new(await Refuse(request, 403, reason, cancellationToken), []);
        }

        try
        {
            var addresses = await around.Guard.Find(name, cancellationToken);
            return addresses.Count > 0 ? new(new Opened(request, null, 200, ""), addresses)
                : new(await Refuse(request, 403, $"{name} has no public address; an operator can allow a range",
                    cancellationToken), []);
        }
        catch (SocketException exception)
        {
            // The name is not known: the sandbox is told so.
            return new(await Fail(request, 502, $"{name}: {exception.Message}", cancellationToken), []);
        }
    }

    /// <summary>Whether the session may still reach the host.</summary>
    public async Task<bool> Allows(string host, int port, CancellationToken cancellationToken) =>
        (await around.RulesOf(sessionId, cancellationToken)).Refuse(host, port) is null;

    /// <summary>The session's credentials for the host, as they are now.</summary>
    public async Task<IReadOnlyList<SessionCredential>> CredentialsFor(
        string host, int port, CancellationToken cancellationToken) =>
        Edge is null ? []
            : [.. (await Edge.Credentials.Of(sessionId, cancellationToken))
                .Where(one => one.Credential.Matches(host, port))];

    /// <summary>A line about something that could not even be read.</summary>
    public Task<Opened> RefuseUnread(string reason, CancellationToken cancellationToken) =>
        Refuse(Line("", "", 0), 400, reason, cancellationToken);

    public async Task<Opened> Refuse(
        EgressRequest request, int status, string reason, CancellationToken cancellationToken)
    {
        await End(request with { Verdict = "refused", Reason = reason }, status, cancellationToken);
        return new Opened(request, null, status, reason);
    }

    /// <summary>An allowed request that came to nothing.</summary>
    public async Task<Opened> Fail(
        EgressRequest request, int status, string reason, CancellationToken cancellationToken)
    {
        await End(request with { Reason = reason }, status, cancellationToken);
        return new Opened(request, null, status, reason);
    }

    public ValueTask Note(EgressRequest request, CancellationToken cancellationToken) =>
        around.Note(request, cancellationToken);

    /// <summary>Writes down how a request ended.</summary>
    public ValueTask End(EgressRequest request, int? status, CancellationToken cancellationToken)
    {
        request = request with { EndedAt = Clock.GetUtcNow() };
        EgressTrace.Write(request, status);
        return around.Note(request, cancellationToken);
    }

    public EgressRequest Line(string method, string host, int port) => new()
    {
        Id = around.Ids.Next(IdPrefix.EgressRequest),
        SessionId = sessionId,
        Method = method,
        Host = host,
        Port = port,
        Verdict = "allowed",
        CreatedAt = Clock.GetUtcNow(),
    };

    private async Task<Opened> Connect(
        EgressRequest request, IPAddress[] addresses, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(ConnectTime, Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, request.Port, both.Token);
            return new Opened(request, socket, 200, "");
        }
        catch
        {
            // Whatever went wrong, there is no connection; who called says what it was.
            socket.Dispose();
            throw;
        }
    }

    /// <summary>What all sessions share.</summary>
    /// <param name="Note">Takes the lines of the record.</param>
    /// <param name="Edge">Where TLS may end; null when nowhere.</param>
    internal sealed record Surroundings(
        RulesOf RulesOf, NoteEgress Note, AddressGuard Guard, IdSource Ids, TimeProvider Clock, EgressEdge? Edge);
}

/// <summary>A connection out, or why there is none.</summary>
/// <param name="Status">The HTTP status that the sandbox gets when there is none.</param>
internal sealed record Opened(EgressRequest Request, Socket? Socket, int Status, string Reason);

/// <summary>What was judged, without a connection.</summary>
/// <param name="Addresses">Those that may be dialled; none when it is refused.</param>
internal sealed record Decided(Opened Opened, IReadOnlyList<IPAddress> Addresses);

/// <summary>Bytes that have passed.</summary>
internal sealed class EgressCount
{
    public long Sent { get; set; }

    public long Received { get; set; }
}
