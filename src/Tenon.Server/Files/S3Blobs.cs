using Tenon.Server.Storage;

namespace Tenon.Server.Files;

/// <summary>Blobs in S3, or in what speaks its protocol. This machine keeps some of them too.</summary>
/// <remarks>
/// An upload is taken whole on this machine and then sent, so that a slow client holds no connection to the store, a
/// try that fails begins again from the disk, and memory does not grow with the size. The copy stays as long as there
/// is room: sandboxes are given links to it.
/// </remarks>
public sealed class S3Blobs : IBlobStore, IAsyncDisposable
{
    /// <summary>One that was asked for so lately is perhaps about to be linked to.</summary>
    private static readonly TimeSpan InUse = TimeSpan.FromMinutes(10);

    /// <summary>Files that are kept here, however small: looking through them is what making room costs.</summary>
    private const int CachedMax = 10_000;

    private readonly S3Place _place;
    private readonly BlobFolder _folder;
    private readonly S3Client _s3;
    private readonly S3Removals _removals;
    private readonly Lock _evicting = new();

    // Two at one blob would fetch it twice.
    private readonly StripedLock _fetching = new();

    /// <param name="path">The folder for what is on the way, and for what is kept here too.</param>
    public S3Blobs(S3Place place, string path, ILogger<S3Blobs> logger)
    {
        (_place, _folder, _s3) = (place, new BlobFolder(path), new S3Client(place));
        _removals = new S3Removals(_s3, _folder, logger);
    }

    public NewBlob Begin(string name) =>
        new(_folder.NewPart(name), (part, cancellationToken) => Keep(part, name, cancellationToken));

    public async Task<Stream?> Open(string name, CancellationToken cancellationToken) =>
        _folder.Open(name) ?? (Stream?)await S3Content.Open(_s3, name, cancellationToken);

    public async Task<string?> FileOf(string name, CancellationToken cancellationToken)
    {
        var path = _folder.PathOf(name);
        using var turn = await _fetching.Enter(name, cancellationToken);
        return Touch(path) || await Fetch(name, cancellationToken) ? path : null;
    }

    public void Delete(IReadOnlyCollection<string> names)
    {
        // Also with none: what could not go before may go now.
        _removals.Add(names);
        _folder.Delete(names);
    }

    public void DeleteStrays(IReadOnlySet<string> names)
    {
        foreach (var path in _folder.StraysBut(names))
        {
            // A part is one that was sent or fetched when the process ended; a whole one has no row yet.
            var (name, suffix) = (Path.GetFileNameWithoutExtension(path), Path.GetExtension(path));
            if (suffix is "" or BlobFolder.PartSuffix && !names.Contains(name))
            {
                _removals.Add([name], areCut: suffix.Length > 0);
            }

            if (suffix is "" or BlobFolder.PartSuffix)
            {
                File.Delete(path);
            }
        }

        _removals.Begin();
    }

    public async ValueTask DisposeAsync()
    {
        await _removals.DisposeAsync();
        _s3.Dispose();
        _fetching.Dispose();
    }

    /// <summary>Says that a file is in use, if it is here.</summary>
    private static bool Touch(string path)
    {
        try
        {
            // Not the time of change: that tells a link from another file's.
            File.SetLastAccessTimeUtc(path, TimeProvider.System.GetUtcNow().UtcDateTime);
            return true;
        }
        catch (FileNotFoundException)
        {
            // Never here, or gone to make room.
            return false;
        }
    }

    private async Task Keep(FileStream part, string name, CancellationToken cancellationToken)
    {
        await part.FlushAsync(cancellationToken);
        try
        {
            await _s3.Put(name, part.Name, cancellationToken);
        }
        catch
        {
            // It may have arrived all the same, or in part.
            _removals.Add([name], areCut: true);
            throw;
        }

        _folder.Keep(part, name);
        MakeRoom();
    }

    private async Task<bool> Fetch(string name, CancellationToken cancellationToken)
    {
        await using var content = await S3Content.Open(_s3, name, cancellationToken);
        if (content is null)
        {
            return false;
        }

        await using var blob = _folder.Begin(name);
        await content.CopyToAsync(blob.Stream, cancellationToken);
        await blob.Keep(cancellationToken);
        MakeRoom();
        return true;
    }

    /// <summary>Lets those go from this machine that were asked for longest ago.</summary>
    private void MakeRoom()
    {
        lock (_evicting)
        {
            var before = TimeProvider.System.GetUtcNow().UtcDateTime - InUse;
            var (bytes, count) = (0L, 0);
            foreach (var file in new DirectoryInfo(_folder.Path).EnumerateFiles()
                .Where(file => file.Extension.Length == 0).OrderByDescending(file => file.LastAccessTimeUtc))
            {
                bytes += file.Length;
                if ((bytes > _place.CacheBytesMax || ++count > CachedMax) && file.LastAccessTimeUtc < before)
                {
                    file.Delete();
                }
            }
        }
    }
}
