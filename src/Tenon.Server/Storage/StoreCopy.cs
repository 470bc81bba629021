using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Npgsql;
using NpgsqlTypes;
using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Tenon.Server.Storage;

/// <summary>
/// Copies every table of an installation from SQLite into an empty PostgreSQL, reads it back, and keeps it only when
/// both sides have the same rows in the same order: one transaction, so a failure leaves the target empty.
/// </summary>
internal sealed class StoreCopy(SqliteDatabase from, PostgresDatabase to, Action<string> tell)
{
    private const int RowsBetweenReports = 50_000;

    /// <exception cref="StoreCopyException">The target is in use, or not empty, or differs after the copy.</exception>
    public async Task Run(CancellationToken cancellationToken)
    {
        from.Migrate();
        to.Migrate();
        await using var source = from.Open();
        await using var target = await to.Open(cancellationToken);
        await using var transaction = await target.BeginTransactionAsync(cancellationToken);
        if (!await PostgresMembership.TryLockForTransaction(target, cancellationToken))
        {
            throw new StoreCopyException("A Tenon server has the PostgreSQL database open. Stop it first.", true);
        }

        var tables = Tables();
        foreach (var table in tables)
        {
            if (await HasRows(target, table, cancellationToken))
            {
                throw new StoreCopyException(
                    $"The PostgreSQL database is not empty: its table '{table.Name}' has rows. "
                    + "Give a database of its own.", true);
            }
        }

        foreach (var table in tables)
        {
            var copied = await Copy(source, target, table, cancellationToken);
            var kept = await Digest(target, table, null, cancellationToken);
            if (copied != kept)
            {
                throw new StoreCopyException(
                    $"The table '{table.Name}' is not the same after the copy: {copied} in SQLite, "
                    + $"{kept} in PostgreSQL. Nothing was kept.", false);
            }

            tell($"{table.Name}: {copied}, verified");
        }

        await transaction.CommitAsync(cancellationToken);
    }

    private List<Table> Tables()
    {
        using var context = from.CreateDbContext();
        return [.. context.Model.GetEntityTypes().Select(type => new Table(
            type.GetTableName()!,
            [.. type.GetProperties().Select(property => new Column(property.GetColumnName(), Kind(property)))],
            [.. type.FindPrimaryKey()!.Properties.Select(property => property.GetColumnName())]))];
    }

    private static NpgsqlDbType Kind(IProperty property) =>
        (Nullable.GetUnderlyingType(property.ClrType) ?? property.ClrType) switch
        {
            var type when type == typeof(string) => NpgsqlDbType.Text,
            var type when type == typeof(long) => NpgsqlDbType.Bigint,
            var type when type == typeof(int) => NpgsqlDbType.Integer,
            var type when type == typeof(bool) => NpgsqlDbType.Boolean,
            var type when type == typeof(byte[]) => NpgsqlDbType.Bytea,
            var type => throw new NotSupportedException($"{property.Name}: nothing copies a {type.Name} yet."),
        };

    private static async Task<bool> HasRows(
        NpgsqlConnection target, Table table, CancellationToken cancellationToken)
    {
        await using var command = Command(target, $"SELECT EXISTS (SELECT 1 FROM \"{table.Name}\")");
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private async Task<TableDigest> Copy(
        DbConnection source, NpgsqlConnection target, Table table, CancellationToken cancellationToken)
    {
        var columns = string.Join(',', table.Columns.Select(column => $"\"{column.Name}\""));
        await using var import = await target.BeginBinaryImportAsync(
            $"COPY \"{table.Name}\" ({columns}) FROM STDIN (FORMAT BINARY)", cancellationToken);
        var copied = await Digest(source, table, import, cancellationToken);
        await import.CompleteAsync(cancellationToken);
        return copied;
    }

    /// <summary>
    /// Reads a table in the order of its key, which is the same on both sides: ids compare by their bytes.
    /// </summary>
    private async Task<TableDigest> Digest(
        DbConnection connection, Table table, NpgsqlBinaryImporter? import, CancellationToken cancellationToken)
    {
        var columns = string.Join(',', table.Columns.Select(column => $"\"{column.Name}\""));
        var key = string.Join(',', table.Key.Select(name => $"\"{name}\""));
        await using var command = Command(connection, $"SELECT {columns} FROM \"{table.Name}\" ORDER BY {key}");
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var rows = 0L;
        while (await reader.ReadAsync(cancellationToken))
        {
            await (import?.StartRowAsync(cancellationToken) ?? Task.CompletedTask);
            for (var i = 0; i < table.Columns.Count; i++)
            {
                var value = Read(reader, i, table.Columns[i].Kind);
                Add(hash, value);
                await (import is null ? Task.CompletedTask
                    : value is null ? import.WriteNullAsync(cancellationToken)
                    : import.WriteAsync(value, table.Columns[i].Kind, cancellationToken));
            }

            if (++rows % RowsBetweenReports == 0)
            {
                tell($"{table.Name}: {rows} rows {(import is null ? "verified" : "copied")} so far");
            }
        }

        return new TableDigest(rows, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static object? Read(DbDataReader reader, int ordinal, NpgsqlDbType kind) => kind switch
    {
        _ when reader.IsDBNull(ordinal) => null,
        NpgsqlDbType.Text => reader.GetString(ordinal),
        NpgsqlDbType.Bigint => reader.GetInt64(ordinal),
        NpgsqlDbType.Integer => reader.GetInt32(ordinal),
        NpgsqlDbType.Boolean => reader.GetBoolean(ordinal),
        _ => reader.GetFieldValue<byte[]>(ordinal),
    };

    /// <summary>Length first, so that no two rows of different values look the same.</summary>
    private static void Add(IncrementalHash hash, object? value)
    {
        var bytes = value switch
        {
            null => null,
            byte[] given => given,
            _ => Encoding.UTF8.GetBytes(Convert.ToString(value, CultureInfo.InvariantCulture)!),
        };
        hash.AppendData(BitConverter.GetBytes(bytes?.Length ?? -1));
        hash.AppendData(bytes ?? []);
    }

    private static DbCommand Command(DbConnection connection, string sql)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Names of the model's own tables and columns.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command;
    }

    private sealed record Table(string Name, IReadOnlyList<Column> Columns, IReadOnlyList<string> Key);

    private sealed record Column(string Name, NpgsqlDbType Kind);

    private sealed record TableDigest(long Rows, string Sha256)
    {
        public override string ToString() => $"{Rows} rows, sha256 {Sha256}";
    }
}

/// <summary>The copy was not made; the target holds nothing of it.</summary>
/// <param name="message">What stood in the way, and what to do.</param>
/// <param name="isRefusal">It was not even begun.</param>
public sealed class StoreCopyException(string message, bool isRefusal) : Exception(message)
{
    public bool IsRefusal => isRefusal;
}
