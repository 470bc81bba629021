using Microsoft.Data.Sqlite;

namespace Tenon.Server.Storage;

/// <summary>
/// A copy of a SQLite database in one file of its own, and what a backup must know of it. The original may be in use:
/// the copy is what it held at one moment.
/// </summary>
public sealed class DatabaseCopy : IDisposable
{
    private readonly SqliteConnection _connection;

    private DatabaseCopy(string path) => _connection = Connect(path);

    /// <summary>Copies without what was deleted. <paramref name="to"/> may be there, empty.</summary>
    /// <exception cref="SqliteException">The original cannot be read, or there is no room for the copy.</exception>
    public static DatabaseCopy Make(string from, string to)
    {
        using (var original = Connect(from))
        {
            Execute(original, "VACUUM INTO $to", ("$to", to));
        }

        return new DatabaseCopy(to);
    }

    public static DatabaseCopy Open(string path) => new(path);

    /// <summary>What is wrong with it; empty when it is sound.</summary>
    public IReadOnlyList<string> Problems()
    {
        try
        {
            var found = Texts("PRAGMA integrity_check(10)");
            return found is ["ok"] ? [] : found;
        }
        catch (SqliteException exception)
        {
            // So broken that it cannot even be checked.
            return [exception.Message];
        }
    }

    /// <summary>The blobs that must be there. One that has expired may be.</summary>
    public IReadOnlyList<string> Blobs(DateTimeOffset now) =>
    [
        .. Has("file")
            ? Texts("SELECT DISTINCT blob FROM file WHERE expires_at IS NULL OR expires_at>$now ORDER BY blob",
                ("$now", now.ToMicroseconds()))
            : [],
        .. Has("skill_version") ? Texts("SELECT id FROM skill_version ORDER BY id") : [],
    ];

    public IReadOnlyList<string> Sessions() => Texts("SELECT id FROM session WHERE status<>'deleted' ORDER BY id");

    /// <summary>
    /// Whether the database at <paramref name="path"/> still has a file, or a skill, with these bytes.
    /// </summary>
    public static bool Names(string path, string blob)
    {
        using var original = Connect(path);
        return Sources(original).Any(source =>
            Texts(original, $"SELECT id FROM {source}", [("$blob", blob)]).Count > 0);
    }

    /// <summary>Takes what has these bytes out of the copy.</summary>
    public void Forget(string blob) => Sources(_connection).ToList().ForEach(
        source => Execute(_connection, $"DELETE FROM {source}", ("$blob", blob)));

    public void Dispose() => _connection.Dispose();

    private bool Has(string table) => Has(_connection, table);

    // Databases from before there were files, or skills, can be backed up too.
    private static bool Has(SqliteConnection connection, string table) =>
        Texts(connection, "SELECT name FROM sqlite_master WHERE name=$table", [("$table", table)]).Count > 0;

    /// <summary>Where a blob may be named.</summary>
    private static IEnumerable<string> Sources(SqliteConnection connection) =>
    [
        .. Has(connection, "file") ? (string[])["file WHERE blob=$blob"] : [],
        .. Has(connection, "skill_version") ? (string[])["skill_version WHERE id=$blob"] : [],
    ];

    private List<string> Texts(string sql, params (string, object)[] parameters) =>
        Texts(_connection, sql, parameters);

    private static List<string> Texts(SqliteConnection connection, string sql, (string, object)[] parameters)
    {
        using var command = Command(connection, sql, parameters);
        using var reader = command.ExecuteReader();
        var texts = new List<string>();
        while (reader.Read())
        {
            texts.Add(reader.GetString(0));
        }

        return texts;
    }

    private static void Execute(SqliteConnection connection, string sql, params (string, object)[] parameters)
    {
        using var command = Command(connection, sql, parameters);
        command.ExecuteNonQuery();
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, (string, object)[] parameters)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Constants of this class.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }

    private static SqliteConnection Connect(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path, Mode = SqliteOpenMode.ReadWrite, Pooling = false,
        }.ToString());
        connection.Open();
        return connection;
    }
}
