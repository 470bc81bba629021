using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Tenon.Server.Storage;

/// <summary>The same tables in PostgreSQL, and one more that says which process owns the sessions.</summary>
public sealed class PostgresContext(DbContextOptions<PostgresContext> options) : TenonContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<OwnerRow>().ToTable("owner").HasKey(row => row.Id);
        modelBuilder.Entity<OwnerRow>().Property(row => row.Id).ValueGeneratedNever();
        base.OnModelCreating(modelBuilder);

        // Ids compare by their bytes, as in SQLite: in another order a page would not follow the one before it.
        var texts = modelBuilder.Model.GetEntityTypes().SelectMany(type => type.GetProperties())
            .Where(property => property.ClrType == typeof(string));
        foreach (var property in texts)
        {
            property.SetCollation("C");
        }
    }
}

/// <summary>The one row of its table: how often the sessions have changed their owner.</summary>
public sealed class OwnerRow
{
    public required int Id { get; init; }

    /// <summary>Counts up whenever a process takes the sessions over; an owner of an earlier count writes nothing.
    /// </summary>
    public required long Epoch { get; init; }
}

/// <summary>Lets the migration tool build the model without a server to connect to.</summary>
internal sealed class PostgresContextFactory : IDesignTimeDbContextFactory<PostgresContext>
{
    public PostgresContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<PostgresContext>().UseNpgsql("Host=localhost").Options);
}
