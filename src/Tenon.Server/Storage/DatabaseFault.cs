using System.Data.Common;

namespace Tenon.Server.Storage;

/// <summary>Tells a database that is away from one that refuses.</summary>
public static class DatabaseFault
{
    /// <summary>A text that PostgreSQL cannot hold: one with U+0000.</summary>
    private const string NotRepresentable = "22021";

    /// <summary>
    /// What a PostgreSQL says that ends a connection: it is shut down, it has crashed, it does not take anybody yet, or
    /// the line was idle for too long. The driver counts the third alone as what may pass.
    /// </summary>
    private static readonly string[] Farewells = ["57P01", "57P02", "57P03", "57P05"];

    /// <summary>Whether the same may work later: the database cannot be reached, or has no room for it now.</summary>
    public static bool IsOutage(Exception exception) =>
        Causes(exception).Any(cause => cause.IsTransient || Farewells.Contains(cause.SqlState))
        || DiskTrouble.Of(exception) is { Passes: true };

    /// <summary>Whether the file of a SQLite database is not what SQLite wrote.</summary>
    public static bool IsDamage(Exception exception) => DiskTrouble.Of(exception) is { Passes: false };

    /// <summary>Whether a text that was looked up cannot stand in the database at all.</summary>
    public static bool IsImpossibleText(Exception exception) =>
        Causes(exception).Any(cause => cause.SqlState == NotRepresentable);

    // The mapper wraps what the driver throws.
    private static IEnumerable<DbException> Causes(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is DbException fault)
            {
                yield return fault;
            }
        }
    }
}
