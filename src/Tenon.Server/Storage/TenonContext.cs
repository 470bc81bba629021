using Microsoft.EntityFrameworkCore;

namespace Tenon.Server.Storage;

/// <summary>The tables. Resources are JSON documents with the few columns they are found by.</summary>
/// <remarks>
/// Times are Unix microseconds, so that they compare the same in every database. The <c>log</c> table is mapped only
/// for its migration; an <see cref="IEventLog"/> reads and writes it with plain SQL.
/// </remarks>
public abstract class TenonContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<AgentRow> Agents => Set<AgentRow>();

    public DbSet<AgentVersionRow> AgentVersions => Set<AgentVersionRow>();

    public DbSet<EnvironmentRow> Environments => Set<EnvironmentRow>();

    public DbSet<VaultRow> Vaults => Set<VaultRow>();

    public DbSet<CredentialRow> Credentials => Set<CredentialRow>();

    public DbSet<RepositoryTokenRow> RepositoryTokens => Set<RepositoryTokenRow>();

    public DbSet<SessionRow> Sessions => Set<SessionRow>();

    public DbSet<ThreadRow> Threads => Set<ThreadRow>();

    public DbSet<FileRow> Files => Set<FileRow>();

    public DbSet<OutputRow> Outputs => Set<OutputRow>();

    public DbSet<SkillRow> Skills => Set<SkillRow>();

    public DbSet<SkillVersionRow> SkillVersions => Set<SkillVersionRow>();

    public DbSet<SessionSkillRow> SessionSkills => Set<SessionSkillRow>();

    public DbSet<EgressRow> Egress => Set<EgressRow>();

    public DbSet<MemoryStoreRow> MemoryStores => Set<MemoryStoreRow>();

    public DbSet<MemoryRow> Memories => Set<MemoryRow>();

    public DbSet<MemoryVersionRow> MemoryVersions => Set<MemoryVersionRow>();

    public DbSet<SessionMemoryRow> SessionMemories => Set<SessionMemoryRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<AgentRow>().ToTable("agent").HasKey(row => row.Id);
        modelBuilder.Entity<AgentVersionRow>().ToTable("agent_version").HasKey(row => new { row.AgentId, row.Version });
        modelBuilder.Entity<EnvironmentRow>().ToTable("environment").HasKey(row => row.Id);

        modelBuilder.Entity<VaultRow>().ToTable("vault").HasKey(row => row.Id);
        var credential = modelBuilder.Entity<CredentialRow>().ToTable("vault_credential");
        credential.HasKey(row => row.Id);
        credential.HasIndex(row => new { row.VaultId, row.Key }).IsUnique(); // those without a key do not meet
        credential.HasIndex(row => row.KeyId);

        var token = modelBuilder.Entity<RepositoryTokenRow>().ToTable("repository_token");
        token.HasKey(row => row.ResourceId);
        token.HasIndex(row => row.SessionId);

        var file = modelBuilder.Entity<FileRow>().ToTable("file");
        file.HasKey(row => row.Id);
        file.HasIndex(row => row.ScopeId);
        file.HasIndex(row => row.Blob);
        file.HasIndex(row => row.ExpiresAt);
        modelBuilder.Entity<OutputRow>().ToTable("session_output").HasKey(row => new { row.SessionId, row.Path });

        modelBuilder.Entity<SkillRow>().ToTable("skill").HasKey(row => row.Id);
        var version = modelBuilder.Entity<SkillVersionRow>().ToTable("skill_version");
        version.HasKey(row => row.Id);
        version.HasIndex(row => new { row.SkillId, row.Id });
        var use = modelBuilder.Entity<SessionSkillRow>().ToTable("session_skill");
        use.HasKey(row => new { row.SessionId, row.VersionId });
        use.HasIndex(row => row.VersionId);

        var egress = modelBuilder.Entity<EgressRow>().ToTable("egress_request");
        egress.HasKey(row => row.Id);
        egress.HasIndex(row => new { row.SessionId, row.Id });

        MemoryRows.Map(modelBuilder);

        var session = modelBuilder.Entity<SessionRow>().ToTable("session");
        session.HasKey(row => row.Id);
        session.HasIndex(row => row.Status);
        session.HasIndex(row => row.AgentId);

        modelBuilder.Entity<ThreadRow>().ToTable("thread").HasKey(row => new { row.Session, row.Id });

        var log = modelBuilder.Entity<LogRow>().ToTable("log");
        log.HasKey(row => new { row.Session, row.Seq });
        log.HasIndex(row => new { row.Session, row.Id });

        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(type => type.GetProperties()))
        {
            property.SetColumnName(System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));
        }
    }
}
