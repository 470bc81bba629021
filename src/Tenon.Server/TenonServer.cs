using Microsoft.EntityFrameworkCore;
using Tenon.Server.Agents;
using Tenon.Server.Cluster;
using Tenon.Server.Configuration;
using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Events;
using Tenon.Server.Files;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Server.Images;
using Tenon.Server.Mcp;
using Tenon.Server.Memory;
using Tenon.Server.Models;
using Tenon.Server.Repositories;
using Tenon.Server.Sandboxes;
using Tenon.Server.Sessions;
using Tenon.Server.Skills;
using Tenon.Server.Storage;
using Tenon.Server.Tools;
using Tenon.Server.Vaults;
using Tenon.Server.Web;
using Tenon.Server.Workflows;
using Tenon.Server.Web.Reading;
using Tenon.Server.Web.Search;
using Tenon.Wire;

namespace Tenon.Server;

/// <summary>The server, put together: what it is made of, and which slices it serves.</summary>
public static class TenonServer
{
    /// <summary>
    /// Bytes of a request's first line. The longest that a client has reason to send, a list with every filter, is far
    /// below it; a longer one is refused before there is a request to answer in the documented envelope.
    /// </summary>
    private const int RequestLineMax = 32 * 1024;

    /// <summary>
    /// Builds the server; the caller starts it. <paramref name="replace"/> lets a test put in its own clock or model.
    /// </summary>
    /// <param name="madeApiKey">The API key, when this is the first start and none was given.</param>
    public static WebApplication Build(
        Settings settings, out string? madeApiKey, Action<IServiceCollection>? replace = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelCore().UseUrls(settings.Urls)
            .ConfigureKestrel(kestrel =>
            {
                kestrel.Limits.MaxRequestBodySize = null; // UseBodyLimit sets it.
                kestrel.Limits.MaxRequestLineSize = RequestLineMax;
                kestrel.AddServerHeader = false;
            });
        builder.Logging.SetMinimumLevel(LogLevel.Warning)
            .AddFilter("Tenon", LogLevel.Information)
            .AddFilter("Orleans", LogLevel.Error)
            .AddSimpleConsole(console => console.SingleLine = true);
        builder.AddSilo();

        var folder = DataFolder.Open(settings.DataDirectory);
        var services = builder.Services;
        services.AddSingleton(_ => folder);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(ApiKeys.Load(settings.ApiKey, settings.DataDirectory, out madeApiKey));
        services.AddSingleton<IdSource>();
        services.AddSingleton(new Limits());
        services.AddSingleton(settings.Prices);
        AddStorage(services, settings);
        AddModels(services, settings);
        AddVaults(services, settings);
        AddSandboxes(services, settings);
        AddWeb(services, settings);
        AddMcp(services);
        AddSessions(services);
        services.AddExceptionHandler<Errors>();
        replace?.Invoke(services);

        var app = builder.Build();
        app.Services.GetRequiredService<EnvironmentStore>().Changed +=
            app.Services.GetRequiredService<EgressProxy>().Recheck;
        Map(app);
        return app;
    }

    private static void AddStorage(IServiceCollection services, Settings settings)
    {
        services.AddSingleton<IDatabase>(provider =>
        {
            // What is resolved is disposed: the folder stays this process's for as long as the database is open.
            var folder = provider.GetRequiredService<DataFolder>();
            return settings.Postgres is { } connectionString
                ? new PostgresDatabase(connectionString, provider.GetRequiredService<TimeProvider>())
                : new SqliteDatabase(folder.DatabasePath);
        });
        services.AddSingleton<IDbContextFactory<TenonContext>>(provider => provider.GetRequiredService<IDatabase>());
        services.AddSingleton(provider => provider.GetRequiredService<IDatabase>().Log);
        services.AddSingleton<Feed>();
        services.AddSingleton<EventLog>();
        services.AddSingleton<AgentStore>();
        services.AddSingleton<EnvironmentStore>();
        services.AddSingleton(settings.Files);
        services.AddSingleton<IBlobStore>(provider =>
        {
            var path = provider.GetRequiredService<DataFolder>().BlobsPath;
            return settings.Files.S3 is { } place
                ? new S3Blobs(place, path, provider.GetRequiredService<ILogger<S3Blobs>>()) : new BlobFolder(path);
        });
        services.AddSingleton<FileStore>();
        services.AddSingleton<BuiltinSkills>();
        services.AddSingleton<SkillStore>();
        services.AddSingleton<SkillCatalog>();
        services.AddSingleton<SkillChoiceRules>();
        services.AddSingleton<RosterRules>();
        services.AddSingleton<AgentChoices>();
        services.AddSingleton<SessionRosterRules>();
        services.AddSingleton<MemoryStore>();
        services.AddSingleton<SessionStore>();
    }

    private static void AddModels(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(settings.ModelServices);
        services.AddSingleton(ModelCatalog.Default);
        services.AddSingleton<ModelRoutes>();
        services.AddSingleton<IModel>(provider => new ModelFiles(
            provider.GetRequiredService<ModelRoutes>(), provider.GetRequiredService<FileStore>(),
            provider.GetRequiredService<IBlobStore>(), provider.GetRequiredService<TimeProvider>()));
    }

    private static void AddVaults(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(_ => VaultSettings.Open(settings));
        services.AddSingleton<VaultStore>();
        services.AddSingleton<CredentialStore>();
        services.AddSingleton<RepositoryTokenStore>();
        services.AddSingleton<IsSandboxVariable>(SandboxDescription.IsOwn);
        services.AddSingleton(provider => new VaultHttp(
            new HttpMessageInvoker(provider.GetRequiredService<WebConnections>().Handler())));
        services.AddSingleton<TokenEndpoint>();
        services.AddSingleton<McpTokens>();
        services.AddSingleton<CredentialCheck>();
        services.AddSingleton<SessionCredentials>();
        services.AddSingleton<VaultKeyCheck>();
    }

    private static void AddSandboxes(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(settings.Egress);
        services.AddSingleton<EgressStore>();
        services.AddSingleton<EgressAudit>();
        services.AddSingleton<NoteEgress>(provider => provider.GetRequiredService<EgressAudit>().Note);
        services.AddSingleton<SessionEgress>();
        services.AddSingleton<CredentialReach>();
        services.AddSingleton<UnreachableCredentials>(
            provider => provider.GetRequiredService<CredentialReach>().Unreachable);
        services.AddSingleton<RulesOf>(provider => provider.GetRequiredService<SessionEgress>().RulesOf);
        services.AddSingleton<CredentialsOf>(
            provider => provider.GetRequiredService<SessionCredentials>().Variables);
        services.AddSingleton(provider => EgressAuthority.Open(
            provider.GetRequiredService<DataFolder>().Path, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<EgressCredentials>();
        services.AddSingleton<EgressEdge>();
        services.AddSingleton<EgressProxy>();
        services.AddSingleton(settings.Sandbox);
        services.AddSingleton(provider => new SandboxProvider(
            provider.GetRequiredService<SandboxOptions>(), provider.GetRequiredService<TimeProvider>(),
            (id, cancelled) => provider.GetRequiredService<SessionFileRules>().Uploads(id, cancelled),
            provider.GetRequiredService<EgressProxy>())
        {
            Layers = (id, cancelled) => provider.GetRequiredService<SessionLayers>().Of(id, cancelled),
            Provision = (id, sandbox, cancelled) =>
                provider.GetRequiredService<WorkingCopies>().Provision(id, sandbox, cancelled),
            Memories = new MemoryPlaces(
                (folder, memories, cancelled) =>
                    provider.GetRequiredService<SessionMemories>().Place(folder, memories, cancelled),
                folder => provider.GetRequiredService<SessionMemories>().Leave(folder)),
        });
        services.AddSingleton(settings.Repositories);
        services.AddSingleton<MirrorAccess>();
        services.AddSingleton<RepositoryMirrors>();
        services.AddSingleton<SessionRepositories>();
        services.AddSingleton<WorkingCopies>();
        services.AddSingleton(settings.Mirrors);
        services.AddSingleton<PackageLayers>();
        services.AddSingleton<SkillFolders>();
        services.AddSingleton<SessionLayers>();
        services.AddSingleton<HealthWarning>(provider =>
            () => provider.GetRequiredService<SandboxProvider>().DiskShortage);
        services.AddSingleton<ISandboxProvider>(provider => provider.GetRequiredService<SandboxProvider>());
    }

    private static void AddWeb(IServiceCollection services, Settings settings)
    {
        services.AddSingleton(new WebLimits());
        services.AddSingleton(settings.Search);
        services.AddSingleton<ResolveName>(System.Net.Dns.GetHostAddressesAsync);
        services.AddSingleton<WebConnections>();
        services.AddSingleton<DocumentReader>();
        services.AddSingleton<WebFetch>();
        services.AddSingleton(provider => new WebSearch(
            SearchBackends.Of(
                settings.Search, provider.GetRequiredService<DocumentReader>(),
                provider.GetRequiredService<WebLimits>(), provider.GetRequiredService<TimeProvider>()),
            provider.GetRequiredService<WebLimits>()));
        services.AddSingleton<WebTools>();
    }

    private static void AddMcp(IServiceCollection services)
    {
        services.AddSingleton(new McpLimits());
        services.AddSingleton<McpTokenOf>(
            provider => provider.GetRequiredService<SessionCredentials>().McpToken);
        services.AddSingleton<McpNetwork>();
        services.AddSingleton<McpPrograms>();
        services.AddSingleton<McpWays>();
        services.AddSingleton<IMcpServers, McpServers>();
    }

    private static void AddSessions(IServiceCollection services)
    {
        services.AddSingleton<SessionRules>();
        services.AddSingleton<SessionServices>();
        services.AddSingleton<ShownMedia>();
        services.AddSingleton<KeepMedia>(provider => provider.GetRequiredService<ShownMedia>().Keep);
        services.AddSingleton<SessionFileRules>();
        services.AddSingleton<SessionSkillRules>();
        services.AddSingleton<FileSourceRules>();
        services.AddSingleton<OutcomeRules>();
        services.AddSingleton<SessionOutputs>();
        services.AddSingleton<ScopeRefresh>(provider => provider.GetRequiredService<SessionOutputs>().Refresh);
        services.AddHostedService<OutputWatch>();
        services.AddSingleton<SessionMemories>();
        services.AddSingleton<RunPlan>(_ => run =>
        {
            // What there is now: more may come while it runs.
            var (results, phases) = (run.Results.ToList(), run.Plan.Phases.Select(phase => phase.Name).ToList());
            return Task.Run(() => PlanProgram.Run(run.Plan.Program, phases, results, new PlanLimits()));
        });
        services.AddSingleton<SaveMemories>(provider => provider.GetRequiredService<SessionMemories>().Save);
        services.AddHostedService<MemoryWatch>();
        services.AddSingleton<SessionStarter>();
        services.AddHostedService<SessionWaker>();
        services.AddHostedService<ExpirySweep>();
        services.AddHostedService<MemorySweep>();
        services.AddSingleton<SandboxStarts>();
        services.AddSingleton<SessionForks>();
        services.AddHostedService(provider => provider.GetRequiredService<SandboxStarts>());
        services.AddHostedService<SandboxKeeper>();
    }

    private static void Map(WebApplication app)
    {
        app.UseRequestId();
        app.UseExceptionHandler(_ => { });
        app.UseStatusCodePages(context => Errors.WriteStatus(context.HttpContext));
        app.UseApiKey();
        app.UseRouting();
        app.UseBodyLimit();
        app.MapHealth();
        app.MapAgents();
        app.MapEnvironments();
        app.MapPackages();
        app.MapVaults();
        app.MapFiles();
        app.MapSkills();
        app.MapMemoryStores();
        app.MapSessions();
        app.MapSessionEgress();
        app.MapAnnounced();
        app.MapModels();
    }
}
