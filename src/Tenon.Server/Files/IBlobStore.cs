using Tenon.Server.Storage;

namespace Tenon.Server.Files;

/// <summary>The bytes of files, each under a name of its own. A blob never changes once it has its name.</summary>
public interface IBlobStore
{
    /// <summary>A new blob, to be written and then kept under <paramref name="name"/>.</summary>
    NewBlob Begin(string name);

    /// <summary>The bytes, from the first to the last; null when there are none of that name.</summary>
    /// <exception cref="BlobsAwayException">The store cannot be reached.</exception>
    Task<Stream?> Open(string name, CancellationToken cancellationToken);

    /// <summary>
    /// A file of this machine that has the bytes, to be linked to soon and never to be written to; null when there is
    /// none. It may be gone later, when the store is elsewhere.
    /// </summary>
    /// <exception cref="BlobsAwayException">The store cannot be reached.</exception>
    Task<string?> FileOf(string name, CancellationToken cancellationToken);

    /// <summary>
    /// Who reads them, or has a link, keeps them. What cannot be deleted now is deleted later, without a word.
    /// </summary>
    void Delete(IReadOnlyCollection<string> names);

    /// <summary>
    /// For the start of a server: deletes what it can of an earlier one's blobs but for <paramref name="names"/>,
    /// unfinished ones too.
    /// </summary>
    void DeleteStrays(IReadOnlySet<string> names);
}

/// <summary>A blob that is being written. Unless it is kept, disposing of it leaves nothing.</summary>
public sealed class NewBlob(FileStream part, Func<FileStream, CancellationToken, Task> keep) : IAsyncDisposable
{
    private bool _isKept;

    public Stream Stream => part;

    /// <summary>Makes it durable under its name.</summary>
    /// <exception cref="BlobsAwayException">The store cannot be reached; then there is no blob.</exception>
    public async Task Keep(CancellationToken cancellationToken)
    {
        await keep(part, cancellationToken);
        _isKept = true;
    }

    public async ValueTask DisposeAsync()
    {
        await part.DisposeAsync();
        if (!_isKept)
        {
            File.Delete(part.Name);
        }
    }
}
