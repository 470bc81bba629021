using Tenon.Server.Storage;

namespace Tenon.Server.Files;

/// <summary>
/// Objects that are to go. Each is written down on this machine first, so that one that cannot be deleted now goes
/// later, and no other object of the bucket is ever looked at.
/// </summary>
/// <remarks>
/// A name is never used twice, so whatever is found under one that is written down here may go at any time.
/// </remarks>
internal sealed partial class S3Removals(S3Client s3, BlobFolder folder, ILogger logger) : IAsyncDisposable
{
    /// <summary>A name whose object is to go.</summary>
    private const string GoneSuffix = ".gone";

    /// <summary>One whose upload did not end: parts of it may be there that no list of objects shows.</summary>
    private const string CutSuffix = ".cut";

    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private Task _work = Task.CompletedTask;
    private bool _isDue;

    /// <summary>Writes names down and returns; what is written down goes in the background, now or later.</summary>
    public void Add(IReadOnlyCollection<string> names, bool areCut = false)
    {
        foreach (var name in names)
        {
            File.Create(folder.PathOf(name) + (areCut ? CutSuffix : GoneSuffix)).Dispose();
        }

        Begin();
    }

    /// <summary>Goes on with what is written down.</summary>
    public void Begin()
    {
        lock (_gate)
        {
            _isDue = true;
            if (_work.IsCompleted && !_stop.IsCancellationRequested)
            {
                _work = Task.Run(Work);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _stop.Dispose();
    }

    private async Task Work()
    {
        try
        {
            while (Take())
            {
                foreach (var name in Named(CutSuffix))
                {
                    await s3.Abort(name, _stop.Token);
                    await Remove([name], CutSuffix);
                }

                foreach (var names in Named(GoneSuffix).Chunk(S3Client.DeletesMax))
                {
                    await Remove(names, GoneSuffix);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // What is left is written down.
        }
        catch (BlobsAwayException exception)
        {
            // It is tried again with the next deletion, the next sweep, or the next start.
            LogLater(exception.Message);
        }
    }

    private bool Take()
    {
        lock (_gate)
        {
            var isDue = _isDue;
            _isDue = false;
            return isDue;
        }
    }

    private IReadOnlyList<string> Named(string suffix) =>
        [.. Directory.EnumerateFiles(folder.Path, "*" + suffix).Select(path => Path.GetFileNameWithoutExtension(path))];

    private async Task Remove(IReadOnlyCollection<string> names, string suffix)
    {
        await s3.Delete(names, _stop.Token);
        foreach (var name in names)
        {
            File.Delete(folder.PathOf(name) + suffix);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Objects of deleted files stay for now: {Reason}")]
    private partial void LogLater(string reason);
}
