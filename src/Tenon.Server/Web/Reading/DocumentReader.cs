using System.ComponentModel;
using System.Text;
using System.Text.Json;

namespace Tenon.Server.Web.Reading;

/// <summary>
/// Makes text of HTML and PDF, in processes of their own: how much time and memory a document takes to be read is up
/// to whoever made it, and a process can be stopped where a parser cannot.
/// </summary>
/// <remarks>Processes are started when they are needed, used again, and ended when they are idle.</remarks>
public sealed class DocumentReader : IDisposable
{
    private readonly WebLimits _limits;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _places;
    private readonly Stack<ReaderProcess> _idle = [];
    private readonly ITimer _timer;
    private bool _isDisposed;

    public DocumentReader(WebLimits limits, TimeProvider clock)
    {
        (_limits, _clock) = (limits, clock);
        _places = new SemaphoreSlim(limits.ReadersMax);
        _timer = clock.CreateTimer(
            _ => EndIdle(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Processes that wait for a document.</summary>
    internal int IdleCount
    {
        get
        {
            lock (_idle)
            {
                return _idle.Count;
            }
        }
    }

    /// <exception cref="WebToolException">It cannot be read, or not within the limits.</exception>
    public Task<DocumentText> ReadHtml(string url, string html, CancellationToken cancellationToken) =>
        Read(Request("html", url), Encoding.UTF8.GetBytes(html), cancellationToken);

    /// <exception cref="WebToolException">It cannot be read, or not within the limits.</exception>
    public Task<DocumentText> ReadPdf(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        Read(Request("pdf", null), bytes, cancellationToken);

    public void Dispose()
    {
        lock (_idle)
        {
            _isDisposed = true;
        }

        _timer.Dispose();
        EndIdle();
    }

    // The server ends it first, if it is there.
    private ReadRequest Request(string kind, string? url) => new(
        kind, url, _limits.PdfPagesMax, _limits.TextCharsMax, 2 * (int)_limits.ReadTimeMax.TotalSeconds);

    private async Task<DocumentText> Read(
        ReadRequest request, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken);
        try
        {
            using var time = new CancellationTokenSource(_limits.ReadTimeMax, _clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
            var answer = await Ask(request, bytes, either.Token);
            return answer.Document ?? throw Unreadable(answer.Fault!);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unreadable($"it takes more than {_limits.ReadTimeMax.TotalSeconds:0} s to be read");
        }
        catch (Exception exception) when (exception is IOException or JsonException or InvalidDataException)
        {
            // It took its process with it: out of memory, or out of stack.
            throw Unreadable("it takes too much memory to be read");
        }
        catch (Win32Exception exception)
        {
            throw new WebToolException(
                WebToolException.Unavailable, $"this server cannot read documents: {exception.Message}.");
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task<ReadAnswer> Ask(
        ReadRequest request, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var process = Take() ?? ReaderProcess.Start(_limits.ReaderHeapBytesMax);
        try
        {
            var answer = await process.Ask(request, bytes, cancellationToken);
            GiveBack(process);
            return answer;
        }
        catch
        {
            // Whatever it was, nobody knows what the process would say next.
            process.Dispose();
            throw;
        }
    }

    private ReaderProcess? Take()
    {
        lock (_idle)
        {
            return _idle.TryPop(out var process) ? process : null;
        }
    }

    private void GiveBack(ReaderProcess process)
    {
        lock (_idle)
        {
            if (!_isDisposed)
            {
                _idle.Push(process);
                _timer.Change(_limits.ReaderIdleMax, Timeout.InfiniteTimeSpan);
                return;
            }
        }

        process.Dispose();
    }

    private void EndIdle()
    {
        while (Take() is { } process)
        {
            process.Dispose();
        }
    }

    private static WebToolException Unreadable(string reason) =>
        new(WebToolException.NotAccessible, $"the document cannot be read: {reason}.");
}
