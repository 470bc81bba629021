using System.Buffers;
using System.Net.Sockets;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>
/// A connection to one host, and the requests that go over it one after the other. Bodies are framed anew, so that the
/// host sees the message that was read here and no other.
/// </summary>
internal sealed class EgressExchange(
    EgressSession session, EgressRequest request, Upstream upstream, Stream client, WireReader fromClient)
    : IDisposable
{
    /// <summary>A host that sends, or takes, nothing for so long is given up.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(5);

    /// <summary>An answer and the last bytes of its request cross on the way; what is still open then is a body that
    /// the host did not wait for.</summary>
    private static readonly TimeSpan LateBodyTime = TimeSpan.FromSeconds(1);

    /// <summary>A body that is changed is read whole up to here, so that its length can be said: not every server takes
    /// chunks. A longer one goes in chunks.</summary>
    private const int WholeBodyMax = 256 * 1024;

    private const int InterimAnswersMax = 16;
    private const string Chunks = "transfer-encoding: chunked";
    private const string Close = "connection: close";

    private readonly WireReader _fromHost = new(upstream.Stream);
    private EgressRequest _request = request;
    private EgressCount _count = new();
    private CredentialUse? _use;
    private int? _status;

    /// <summary>Whether the last exchange left the connection so that another request may go over it.</summary>
    private bool _mayGoOn = true;

    public string Host => _request.Host;

    public int Port => _request.Port;

    /// <summary>Whether another request may go over it: a host that says something in between is leaving.</summary>
    public bool IsOpen =>
        _mayGoOn && _fromHost.Buffered.IsEmpty && !upstream.Socket.Poll(0, SelectMode.SelectRead);

    /// <summary>Writes down the next request over this connection.</summary>
    public async Task Begin(string method, CancellationToken cancellationToken)
    {
        (_request, _count) = (session.Line(method, Host, Port), new EgressCount());
        await session.Note(_request, cancellationToken);
    }

    /// <returns>Whether the sandbox may send another request.</returns>
    public async Task<bool> Run(ForwardedRequest forwarded, CancellationToken cancellationToken)
    {
        string? reason = null;
        (_mayGoOn, _status, _use) = (false, null, forwarded.Use);
        using var idle = new CancellationTokenSource(IdleTime, session.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, cancellationToken);
        Task sending = Task.CompletedTask;
        var receiving = Task.FromResult(false);
        try
        {
            sending = await Begin(forwarded, both.Token) is { } rest ? Send(rest, idle, both.Token) : sending;
            receiving = Receive(forwarded.Head, idle, both.Token);
            if (await Task.WhenAny(sending, receiving) == sending)
            {
                // A request that broke off in the middle gets no answer that is worth waiting for.
                await sending;
            }

            var mayGoOn = await receiving;

            // What is left of a body that the host did not wait for would be read as another request.
            await sending.WaitAsync(LateBodyTime, session.Clock, both.Token);
            return mayGoOn;
        }
        catch (Exception exception) when (exception is IOException or SocketException or ObjectDisposedException
            or BadHeadException or TimeoutException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // The sandbox sees a broken answer or none, and the audit says why.
            reason = exception is OperationCanceledException ? $"nothing passed for {IdleTime.TotalMinutes} minutes"
                : exception is TimeoutException ? "the host answered before the request was over"
                : $"the exchange broke off: {_use?.Scrub(exception.Message) ?? exception.Message}";
        }
        finally
        {
            // Both ways have let go of their buffers before anyone else gets these.
            await idle.CancelAsync();
            await Task.WhenAll(sending, receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await End(reason ?? (cancellationToken.IsCancellationRequested ? "the connection was cut" : null));
        }

        _mayGoOn = false;
        if (_status is null)
        {
            await EgressAnswer.Write(client, 502, reason, cancellationToken);
        }

        return false;
    }

    public void Dispose()
    {
        upstream.Stream.Dispose();
        upstream.Socket.Dispose();
        _fromHost.Dispose();
    }

    private ValueTask End(string? reason) => session.End(
        _request with
        {
            BytesSent = _count.Sent,
            BytesReceived = _count.Received,
            Reason = reason,
            Credentials = _use?.Used ?? [],
        },
        _status, CancellationToken.None);

    /// <summary>Sends a request whose body had to be read whole.</summary>
    /// <returns>What any other is to be sent as.</returns>
    private async Task<Outgoing?> Begin(ForwardedRequest forwarded, CancellationToken cancellationToken)
    {
        var (head, body) = (forwarded.Head, forwarded.Body);
        var filled = _use?.Fill(head, body);
        _use?.Fill(head);
        if (filled is not null && body is { End: BodyEnd.Length, Bytes: <= WholeBodyMax })
        {
            var whole = await ReadWhole(head, body, filled, cancellationToken);
            head.Set("Content-Length", $"{whole.Length}");
            using var writer = new BodyWriter(
                upstream.Stream, BodyEnd.Length, HeadBytes(forwarded, BodyEnd.Length));
            await writer.Write(whole, isLast: true, cancellationToken);
            return null;
        }

        var end = body.End;
        if (filled is not null)
        {
            head.Remove("content-length");
            end = BodyEnd.Chunked;
        }

        return new Outgoing(HeadBytes(forwarded, end), body, end, filled);
    }

    private static byte[] HeadBytes(ForwardedRequest forwarded, BodyEnd end)
    {
        var bytes = forwarded.Head.ToBytes(forwarded.StartLine, end == BodyEnd.Chunked ? [Chunks] : []);
        return bytes.Length <= 2 * WireReader.HeadBytesMax ? bytes
            : throw new BadHeadException("its head is too large with the secrets in it");
    }

    private async Task<ReadOnlyMemory<byte>> ReadWhole(
        HttpHead head, BodyLength body, ReplacedBody filled, CancellationToken cancellationToken)
    {
        if (head.All("expect").Any())
        {
            // The host cannot say so before it has the head, which waits for the body.
            head.Remove("expect");
            await client.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), cancellationToken);
        }

        var whole = new ArrayBufferWriter<byte>();
        await fromClient.ReadBody(body, piece =>
        {
            _count.Sent += piece.Length;
            whole.Write(filled.Next(piece, isLast: false).Span);
            return ValueTask.CompletedTask;
        }, cancellationToken);
        whole.Write(filled.End().Span);
        return whole.WrittenMemory;
    }

    private async Task Send(
        Outgoing outgoing, CancellationTokenSource idle, CancellationToken cancellationToken)
    {
        using var writer = new BodyWriter(upstream.Stream, outgoing.End, outgoing.Head);
        await Pass(
            outgoing.Body, fromClient, writer, outgoing.Filled,
            count =>
            {
                idle.CancelAfter(IdleTime);
                _count.Sent += count;
            },
            cancellationToken);
    }

    private static async Task Pass(
        BodyLength body, WireReader from, BodyWriter to, ReplacedBody? replaced, Action<int> passed,
        CancellationToken cancellationToken)
    {
        if (from.Buffered.IsEmpty)
        {
            await to.Begin(cancellationToken);
        }

        var left = body.End == BodyEnd.Length ? body.Bytes : long.MaxValue;
        await from.ReadBody(body, piece =>
        {
            passed(piece.Length);
            left -= piece.Length;
            return to.Write(replaced?.Next(piece, left == 0) ?? piece, left == 0, cancellationToken);
        }, cancellationToken);
        if (left > 0)
        {
            await to.Write(replaced?.End() ?? default, isLast: true, cancellationToken);
        }

        await to.Finish(cancellationToken);
    }

    /// <returns>Whether both connections can carry another request.</returns>
    private async Task<bool> Receive(
        HttpHead head, CancellationTokenSource idle, CancellationToken cancellationToken)
    {
        var answer = await Answer(cancellationToken);
        var body = answer.AnswerBody(head.Start[0]);
        var scrubbed = body.IsEmpty ? null : _use?.ScrubBody(answer);
        var end = body.End;
        if (scrubbed is not null && end == BodyEnd.Length)
        {
            // How long it will be is not known before its end.
            answer.Remove("content-length");
            end = BodyEnd.Chunked;
        }

        // A client of HTTP/1.0 knows no chunks: the end of its connection is the end of its answer.
        end = head.IsOldVersion && end == BodyEnd.Chunked ? BodyEnd.Connection : end;
        var mayGoOn = end != BodyEnd.Connection && body.End != BodyEnd.Connection && !head.Closes && !answer.Closes;
        string[] more = [.. end == BodyEnd.Chunked ? [Chunks] : (string[])[], .. mayGoOn ? (string[])[] : [Close]];
        _status = int.Parse(answer.Start[1], System.Globalization.CultureInfo.InvariantCulture);
        using var writer = new BodyWriter(client, end, answer.ToBytes(StartLine(answer), more));
        await Pass(
            body, _fromHost, writer, scrubbed,
            count =>
            {
                idle.CancelAfter(IdleTime);
                _count.Received += count;
            },
            cancellationToken);
        _mayGoOn = mayGoOn;
        return mayGoOn;
    }

    /// <summary>The head of the answer, after those that only say that one will come.</summary>
    private async Task<HttpHead> Answer(CancellationToken cancellationToken)
    {
        for (var interim = 0; interim < InterimAnswersMax; interim++)
        {
            var head = await _fromHost.ReadHead(isAnswer: true, cancellationToken)
                ?? throw new BadHeadException("the host ended without an answer");
            _use?.Scrub(head);
            if (head.Start[1][0] != '1')
            {
                return head;
            }

            if (head.Start[1] == "101")
            {
                throw new BadHeadException("the host switched to another protocol, which nobody asked for");
            }

            await client.WriteAsync(head.ToBytes(StartLine(head)), cancellationToken);
        }

        throw new BadHeadException("the host gives no answer, only that one will come");
    }

    private string StartLine(HttpHead answer) =>
        $"HTTP/1.1 {answer.Start[1]} {_use?.Scrub(answer.Start[2]) ?? answer.Start[2]}";

    /// <param name="End">How its body ends on the way out, whichever way it ended on the way in.</param>
    private sealed record Outgoing(byte[] Head, BodyLength Body, BodyEnd End, ReplacedBody? Filled);
}

/// <summary>A connection to a host.</summary>
/// <param name="Stream">Over the socket, and over TLS where that ends here.</param>
internal sealed record Upstream(Socket Socket, Stream Stream);

/// <summary>A request as it was read, and as it goes on.</summary>
/// <param name="Use">What its host's credentials do to it; null where there are none.</param>
internal sealed record ForwardedRequest(HttpHead Head, string StartLine, BodyLength Body, CredentialUse? Use);
