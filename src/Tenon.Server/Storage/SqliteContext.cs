using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Tenon.Server.Storage;

/// <summary>The tables in SQLite. A type of its own, because each database has its own migrations.</summary>
public sealed class SqliteContext(DbContextOptions<SqliteContext> options) : TenonContext(options);

/// <summary>Lets the migration tool build the model without starting a server.</summary>
internal sealed class SqliteContextFactory : IDesignTimeDbContextFactory<SqliteContext>
{
    public SqliteContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<SqliteContext>().UseSqlite("Data Source=:memory:").Options);
}
