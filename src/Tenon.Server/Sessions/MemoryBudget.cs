namespace Tenon.Server.Sessions;

/// <summary>
/// What a session may still write to its stores. Every version is kept for a month, and a program that rewrites its
/// memory without end would fill the database.
/// </summary>
/// <remarks>It begins anew with the server: it bounds a rate, and nothing depends on it.</remarks>
internal sealed class MemoryBudget(TimeProvider clock)
{
    /// <summary>Above what an agent that writes by its tools comes to: a full store of large memories, and more.
    /// </summary>
    public const long BytesMax = 256L * 1024 * 1024;

    /// <summary>What a version takes beside its text.</summary>
    private const int VersionBytes = 4 * 1024;

    private static readonly TimeSpan Window = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private long _begun = clock.GetTimestamp();
    private long _bytes;

    /// <summary>Whether a text of so many bytes may be written now.</summary>
    public bool TryTake(int bytes)
    {
        lock (_gate)
        {
            if (clock.GetElapsedTime(_begun) >= Window)
            {
                (_begun, _bytes) = (clock.GetTimestamp(), 0);
            }

            if (_bytes + bytes + VersionBytes > BytesMax)
            {
                return false;
            }

            _bytes += bytes + VersionBytes;
            return true;
        }
    }
}
