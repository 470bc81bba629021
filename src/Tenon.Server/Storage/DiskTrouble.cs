using Microsoft.Data.Sqlite;
using static SQLitePCL.raw;

namespace Tenon.Server.Storage;

/// <summary>What is wrong with the disk or the file of a SQLite database, and what an operator does about it.</summary>
/// <param name="Reason">A stable word: <c>disk_full disk_read_only database_locked database_damaged disk_failing</c>.
/// </param>
/// <param name="Message">For whoever asks; it names no path of the machine.</param>
/// <param name="Passes">The same works again once the operator, or time, has mended it.</param>
public sealed record DiskTrouble(string Reason, string Message, bool Passes)
{
    private const int NoSpace = 28;
    private const int ReadOnlyFileSystem = 30;
    private const int OverQuota = 122;

    private const string Continues = "The server goes on by itself.";

    /// <summary>Null when it is about something else.</summary>
    public static DiskTrouble? Of(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            var found = cause switch
            {
                DamagedDatabaseException => Damaged,
                SqliteException sqlite => Of(sqlite.SqliteErrorCode),
                IOException { HResult: NoSpace or OverQuota } => Full,
                IOException { HResult: ReadOnlyFileSystem } => ReadOnly,
                _ => null,
            };
            if (found is not null)
            {
                return found;
            }
        }

        return null;
    }

    private static DiskTrouble Full { get; } = new(
        "disk_full", $"The disk of the data folder is full. Free some of it. {Continues}", Passes: true);

    private static DiskTrouble ReadOnly { get; } = new(
        "disk_read_only",
        "The data folder cannot be written. Make its disk writable; the kernel's log may say why it is not. "
        + Continues,
        Passes: true);

    private static DiskTrouble Locked { get; } = new(
        "database_locked",
        $"Another program holds the database {DataFolder.DatabaseName}. End it, or wait for it. {Continues}",
        Passes: true);

    private static DiskTrouble Failing { get; } = new(
        "disk_failing",
        $"The disk refuses the database {DataFolder.DatabaseName}; the kernel's log may say why. {Continues}",
        Passes: true);

    private static DiskTrouble Damaged { get; } = new(
        "database_damaged",
        $"The database {DataFolder.DatabaseName} in the data folder is damaged, and nothing more is written to it. "
        + "Stop the server, keep the folder, and restore the last backup: docs/operations/backup.md.",
        Passes: false);

    private static DiskTrouble? Of(int code) => code switch
    {
        SQLITE_FULL => Full,
        SQLITE_READONLY => ReadOnly,
        SQLITE_BUSY or SQLITE_LOCKED => Locked,
        SQLITE_IOERR or SQLITE_CANTOPEN => Failing,
        SQLITE_CORRUPT or SQLITE_NOTADB => Damaged,
        _ => null,
    };
}

/// <summary>The database is damaged, so that nothing more is written to it.</summary>
public sealed class DamagedDatabaseException(string path, string problem) : IOException(
    $"The database {path} is damaged: {problem}. Nothing was changed in it. Keep the folder, and restore the last "
    + "backup into a new one: ./tenon restore --from FILE --data DIR (docs/operations/backup.md).");
