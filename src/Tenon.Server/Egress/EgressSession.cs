using System.Net.Sockets;
using Tenon.Server.Environments;
using Tenon.Wire;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>The rules of a session as they are now.</summary>
public delegate Task<EgressRules> RulesOf(string sessionId, CancellationToken cancellationToken);

/// <summary>
/// Decides and opens what one session's sandbox asks for, and writes it down. Every request is decided by the rules of
/// its moment.
/// </summary>
internal sealed class EgressSession(
    string sessionId, RulesOf rulesOf, AddressGuard guard, EgressAudit audit, IdSource ids, TimeProvider clock)
{
    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(10);

    public TimeProvider Clock => clock;

    /// <summary>Opens a connection to the host, or says why there is none.</summary>
    public async Task<Opened> Open(string method, string host, int port, CancellationToken cancellationToken)
    {
        var request = Line(method, host, port);
        if (HostName.TryParse(host) is not { } name)
        {
            return await Refuse(request, 403, "a host must be given by its name", cancellationToken);
        }

        request = request with { Host = name };
        if ((await rulesOf(sessionId, cancellationToken)).Refuse(name, port) is { } reason)
        {
            return await Refuse(request, 403, reason, cancellationToken);
        }

        try
        {
            var addresses = await guard.Find(name, cancellationToken);
            if (addresses.Count == 0)
            {
                return await Refuse(
                    request, 403, $"{name} has no public address; an operator can allow a range", cancellationToken);
            }

            await audit.Note(request, cancellationToken);
            return await Connect(request, [.. addresses], cancellationToken);
        }
        catch (SocketException exception)
        {
            // The name is not known, or nothing answers there: the sandbox is told which.
            return await Fail(request, 502, $"{name}: {exception.Message}", cancellationToken);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Its own time ran out.
            return await Fail(request, 504, $"{name} did not answer within {ConnectTime.TotalSeconds} s",
                cancellationToken);
        }
    }

    /// <summary>Whether the session may still reach the host.</summary>
    public async Task<bool> Allows(string host, int port, CancellationToken cancellationToken) =>
        (await rulesOf(sessionId, cancellationToken)).Refuse(host, port) is null;

    /// <summary>A line about something that could not even be read.</summary>
    public Task<Opened> RefuseUnread(string reason, CancellationToken cancellationToken) =>
        Refuse(Line("", "", 0), 400, reason, cancellationToken);

    public async Task<Opened> Refuse(
        EgressRequest request, int status, string reason, CancellationToken cancellationToken)
    {
        await audit.Note(
            request with { Verdict = "refused", Reason = reason, EndedAt = clock.GetUtcNow() }, cancellationToken);
        return new Opened(request, null, status, reason);
    }

    public ValueTask Note(EgressRequest request, CancellationToken cancellationToken) =>
        audit.Note(request, cancellationToken);

    /// <summary>Writes down how an allowed request ended.</summary>
    public ValueTask End(EgressRequest request, EgressCount count, string? reason) => audit.Note(
        request with
        {
            BytesSent = count.Sent, BytesReceived = count.Received, Reason = reason, EndedAt = clock.GetUtcNow(),
        },
        CancellationToken.None);

    public EgressRequest Line(string method, string host, int port) => new()
    {
        Id = ids.Next(IdPrefix.EgressRequest),
        SessionId = sessionId,
        Method = method,
        Host = host,
        Port = port,
        Verdict = "allowed",
        CreatedAt = clock.GetUtcNow(),
    };

    private async Task<Opened> Connect(
        EgressRequest request, System.Net.IPAddress[] addresses, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(ConnectTime, clock);
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

    private async Task<Opened> Fail(
        EgressRequest request, int status, string reason, CancellationToken cancellationToken)
    {
        await audit.Note(request with { Reason = reason, EndedAt = clock.GetUtcNow() }, cancellationToken);
        return new Opened(request, null, status, reason);
    }
}

/// <summary>A connection out, or why there is none.</summary>
/// <param name="Status">The HTTP status that the sandbox gets when there is none.</param>
internal sealed record Opened(EgressRequest Request, Socket? Socket, int Status, string Reason);

/// <summary>Bytes that have passed.</summary>
internal sealed class EgressCount
{
    public long Sent { get; set; }

    public long Received { get; set; }
}
