using Microsoft.Data.Sqlite;

namespace Tenon.Server.Web.Search;

/// <summary>
/// The passages of a folder's files in a full-text index (FTS5, BM25), in memory: it is made again at every start. One
/// caller at a time.
/// </summary>
internal sealed class LocalIndexStore : IDisposable
{
    /// <summary>A word in a title counts as so many in the text.</summary>
    private const double TitleWeight = 4;

    private readonly SqliteConnection _connection = new("Data Source=:memory:");

    public LocalIndexStore()
    {
        _connection.Open();
        Run(
            """
            CREATE VIRTUAL TABLE passages USING fts5(
              file UNINDEXED, title, text, tokenize = 'porter unicode61 remove_diacritics 2')
            """);
    }

    /// <summary>Puts a file's passages in the place of those that it had.</summary>
    public void Replace(string file, string title, IReadOnlyList<string> passages)
    {
        using var transaction = _connection.BeginTransaction();
        Remove(file);
        foreach (var passage in passages)
        {
            Run("INSERT INTO passages (file, title, text) VALUES ($file, $title, $text)",
                ("$file", file), ("$title", title), ("$text", passage));
        }

        transaction.Commit();
    }

    public void Remove(string file) => Run("DELETE FROM passages WHERE file = $file", ("$file", file));

    /// <summary>The passages with any of the words, the best first.</summary>
    public IReadOnlyList<(string File, string Title, string Text)> Find(IEnumerable<string> words, int count)
    {
        // Each word stands in quotation marks, and holds none, so that nothing in it is a command of the index.
        var match = string.Join(" OR ", words.Select(word => $"\"{word}\""));
        var found = new List<(string, string, string)>();
        if (match.Length == 0)
        {
            return found;
        }

        using var command = Command(
            $"""
            SELECT file, title, text FROM passages WHERE passages MATCH $match
            ORDER BY bm25(passages, 0, {TitleWeight}, 1) LIMIT $count
            """,
            ("$match", match), ("$count", count));
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            found.Add((reader.GetString(0), reader.GetString(1), reader.GetString(2)));
        }

        return found;
    }

    public void Dispose() => _connection.Dispose();

    private void Run(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        using var command = Command(sql, values);
        command.ExecuteNonQuery();
    }

    private SqliteCommand Command(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        var command = _connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in values)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }
}
