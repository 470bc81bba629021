using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>
/// A connection to one host, and the requests that go over it one after the other. Bodies are framed anew, so that the
/// host sees the message that was read here and no other.
/// </summary>
internal sealed class EgressExchange(
    EgressSession session, EgressRequest request, Stream upstream, NetworkStream client, WireReader fromClient)
    : IDisposable
{
    /// <summary>A host that sends, or takes, nothing for so long is given up.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(5);

    /// <summary>An answer and the last bytes of its request cross on the way; what is still open then is a body that
    /// the host did not wait for.</summary>
    private static readonly TimeSpan LateBodyTime = TimeSpan.FromSeconds(1);

    private const int InterimAnswersMax = 16;
    private const string Chunks = "transfer-encoding: chunked";
    private const string Close = "connection: close";

    private readonly WireReader _fromHost = new(upstream);
    private EgressRequest _request = request;
    private EgressCount _count = new();
    private bool _hasAnswered;

    /// <summary>Whether another request may go over it.</summary>
    public bool IsOpen { get; private set; } = true;

    public string Host => _request.Host;

    public int Port => _request.Port;

    /// <summary>Writes down the next request over this connection.</summary>
    public async Task Begin(string method, CancellationToken cancellationToken)
    {
        (_request, _count) = (session.Line(method, Host, Port), new EgressCount());
        await session.Note(_request, cancellationToken);
    }

    /// <returns>Whether the sandbox may send another request.</returns>
    public async Task<bool> Run(
        HttpHead head, string startLine, BodyLength body, CancellationToken cancellationToken)
    {
        string? reason = null;
        IsOpen = false;
        using var idle = new CancellationTokenSource(IdleTime, session.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, cancellationToken);
        Task sending = Task.CompletedTask;
        var receiving = Task.FromResult(false);
        try
        {
            await upstream.WriteAsync(
                head.ToBytes(startLine, body.End == BodyEnd.Chunked ? [Chunks] : []), both.Token);
            sending = Send(body, idle, both.Token);
            receiving = Receive(head, idle, both.Token);
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
                : $"the exchange broke off: {exception.Message}";
        }
        finally
        {
            // Both ways have let go of their buffers before anyone else gets these.
            await idle.CancelAsync();
            await Task.WhenAll(sending, receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await session.End(_request, _count, reason);
        }

        IsOpen = false;
        if (!_hasAnswered)
        {
            await EgressAnswer.Write(client, 502, reason, cancellationToken);
        }

        return false;
    }

    public void Dispose()
    {
        upstream.Dispose();
        _fromHost.Dispose();
    }

    private async Task Send(BodyLength body, CancellationTokenSource idle, CancellationToken cancellationToken)
    {
        if (!body.IsEmpty)
        {
            await fromClient.ReadBody(body, async piece =>
            {
                idle.CancelAfter(IdleTime);
                _count.Sent += piece.Length;
                await Write(upstream, body.End, piece, cancellationToken);
            }, cancellationToken);
            await Finish(upstream, body.End, cancellationToken);
        }
    }

    /// <returns>Whether both connections can carry another request.</returns>
    private async Task<bool> Receive(
        HttpHead head, CancellationTokenSource idle, CancellationToken cancellationToken)
    {
        _hasAnswered = false;
        var answer = await Answer(cancellationToken);
        var body = answer.AnswerBody(head.Start[0]);

        // A client of HTTP/1.0 knows no chunks: the end of its connection is the end of its answer.
        var end = head.IsOldVersion && body.End == BodyEnd.Chunked ? BodyEnd.Connection : body.End;
        var mayGoOn = end != BodyEnd.Connection && !head.Closes && !answer.Closes;
        string[] more = [.. end == BodyEnd.Chunked ? [Chunks] : (string[])[], .. mayGoOn ? (string[])[] : [Close]];
        _hasAnswered = true;
        await client.WriteAsync(answer.ToBytes(StartLine(answer), more), cancellationToken);
        await _fromHost.ReadBody(body, async piece =>
        {
            idle.CancelAfter(IdleTime);
            _count.Received += piece.Length;
            await Write(client, end, piece, cancellationToken);
        }, cancellationToken);
        await Finish(client, end, cancellationToken);
        IsOpen = mayGoOn;
        return mayGoOn;
    }

    /// <summary>The head of the answer, after those that only say that one will come.</summary>
    private async Task<HttpHead> Answer(CancellationToken cancellationToken)
    {
        for (var interim = 0; interim < InterimAnswersMax; interim++)
        {
            var head = await _fromHost.ReadHead(isAnswer: true, cancellationToken)
                ?? throw new BadHeadException("the host ended without an answer");
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

    private static string StartLine(HttpHead answer) => $"HTTP/1.1 {answer.Start[1]} {answer.Start[2]}";

    private static async ValueTask Write(
        Stream to, BodyEnd end, ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
    {
        if (end == BodyEnd.Chunked)
        {
            await to.WriteAsync(
                Encoding.ASCII.GetBytes(piece.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"),
                cancellationToken);
        }

        await to.WriteAsync(piece, cancellationToken);
        if (end == BodyEnd.Chunked)
        {
            await to.WriteAsync("\r\n"u8.ToArray(), cancellationToken);
        }
    }

    private static async ValueTask Finish(Stream to, BodyEnd end, CancellationToken cancellationToken)
    {
        if (end == BodyEnd.Chunked)
        {
            await to.WriteAsync("0\r\n\r\n"u8.ToArray(), cancellationToken);
        }
    }
}
