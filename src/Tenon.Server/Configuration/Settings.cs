using System.Runtime.InteropServices;
using Tenon.Server.Billing;
using Tenon.Server.Egress;
using Tenon.Server.Files;
using Tenon.Server.Images;
using Tenon.Server.Models;
using Tenon.Server.Repositories;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web.Search;

namespace Tenon.Server.Configuration;

/// <summary>What this process runs with, and where each value came from.</summary>
public sealed record Settings
{
    /// <summary>Every key, its value in force and its source, in the order of <see cref="SettingKeys.All"/>.</summary>
    public required IReadOnlyDictionary<string, SettingValue> Values { get; init; }

    public required ModelServices ModelServices { get; init; }

    public required Prices Prices { get; init; }

    public string Urls => this[SettingKeys.Urls]!;

    public string DataDirectory => Path.GetFullPath(this[SettingKeys.Data]!);

    /// <summary>The connection string of a PostgreSQL database; null keeps all in the data folder.</summary>
    public string? Postgres => this[SettingKeys.Postgres];

    public string? ApiKey => this[SettingKeys.ApiKey];

    public bool AllowUnsafeSandbox => this[SettingKeys.AllowUnsafeSandbox] == "true";

    public required SandboxOptions Sandbox { get; init; }

    public FileStorage Files { get; init; } = new();

    public PackageMirrors Mirrors { get; init; } = new();

    public EgressOptions Egress { get; init; } = new();

    public RepositoryOptions Repositories { get; init; } = new();

    public SearchOptions Search { get; init; } = new((string?)null);

    internal string? this[string key] => Values[key].Value;

    /// <summary>Where each value came from; not the values, for some are secrets.</summary>
    public override string ToString() => string.Join(", ", Values.Select(value => $"{value.Key}: {value.Value}"));
}

/// <param name="Source">A flag, a variable, a file, or <c>default</c>.</param>
public sealed record SettingValue(string? Value, string Source)
{
    /// <summary>Where it came from; not the value, which may be a secret.</summary>
    public override string ToString() => Source;
}

/// <summary>A key that can be set: by flag, by variable, or in the file under its dotted name.</summary>
public sealed record SettingKey(string Name, string? Flag, string Variable, string? Default, string Meaning)
{
    /// <summary>Where others keep the same value; read when <see cref="Variable"/> is not set.</summary>
    public string? UsualVariable { get; init; }

    /// <summary>Never printed.</summary>
    public bool IsSecret { get; init; }

    /// <summary>What a number may be, both ends included; null when it is none.</summary>
    public (int From, int To)? Range { get; init; }

    /// <summary>The flag takes no value.</summary>
    public bool IsSwitch { get; init; }
}

/// <summary>Every key there is. Any other is an error, so that a typing mistake is not silently ignored.</summary>
public static class SettingKeys
{
    public const string Urls = "urls";
    public const string Data = "data";
    public const string ApiKey = "api_key";
    public const string WorkspaceTemplate = "sandbox.workspace_template";
    public const string AllowUnsafeSandbox = "sandbox.allow_unsafe";
    public const string IdleSeconds = "sandbox.idle_seconds";
    public const string EndSeconds = "sandbox.end_seconds";
    public const string RetentionDays = "sandbox.retention_days";
    public const string DiskMegabytes = "sandbox.disk_mb";
    public const string DiskFiles = "sandbox.disk_files";
    public const string Hand = "sandbox.hand";
    public const string Driver = "sandbox.driver";
    public const string OciRuntime = "sandbox.oci_runtime";
    public const string FirstUid = "sandbox.first_uid";
    public const string UidCount = "sandbox.uid_count";
    public const string Image = "sandbox.image";
    public const string AptMirror = "packages.apt";
    public const string CargoMirror = "packages.cargo";
    public const string GemMirror = "packages.gem";
    public const string GoMirror = "packages.go";
    public const string NpmMirror = "packages.npm";
    public const string PipMirror = "packages.pip";
    public const string AllowedRanges = "egress.allowed_ranges";
    public const string PackageHosts = "egress.package_hosts";
    public const string ExtraRoots = "egress.extra_roots";
    public const string FilesStore = "files.store";
    public const string FileMegabytes = "files.max_mb";
    public const string S3Bucket = "files.s3.bucket";
    public const string S3Prefix = "files.s3.prefix";
    public const string S3Region = "files.s3.region";
    public const string S3Endpoint = "files.s3.endpoint";
    public const string S3CacheMegabytes = "files.s3.cache_mb";
    public const string Search = "search.backend";
    public const string SearxngUrl = "search.searxng.url";
    public const string BraveKey = "search.brave.key";
    public const string BraveUrl = "search.brave.url";
    public const string TavilyKey = "search.tavily.key";
    public const string TavilyUrl = "search.tavily.url";
    public const string SearchFolder = "search.local.folder";
    public const string SearchFolderUrl = "search.local.url";
    public const string RepositoryHosts = "repositories.hosts";
    public const string VaultKeyFile = "vaults.key_file";
    public const string VaultKey = "vaults.key";
    public const string VaultKeyCommand = "vaults.key_command";
    public const string Prices = "billing.prices";
    public const string Postgres = "postgres";

    public static IReadOnlyList<SettingKey> All { get; } =
    [
        new(Urls, "--urls", "TENON_URLS", "http://127.0.0.1:4111", "where the server listens"),
        new(Data, "--data", "TENON_DATA", "./data", "the folder for the database and the sessions' files"),
        new(ApiKey, null, "TENON_API_KEY", null,
            "the API key; one is made at the first start when unset")
        {
            IsSecret = true,
        },
        new(WorkspaceTemplate, "--workspace-template", "TENON_WORKSPACE_TEMPLATE", null,
            "a folder whose files every new session's workspace starts with"),
        new(AllowUnsafeSandbox, "--allow-unsafe-sandbox", "TENON_ALLOW_UNSAFE_SANDBOX", "false",
            "serve although the sandbox failed its self-test") { IsSwitch = true },
        new(IdleSeconds, null, "TENON_IDLE_SECONDS", "300",
            "a sandbox that nothing is asked of for so long is frozen; the next call thaws it")
        {
            Range = (1, SecondsMax),
        },
        new(EndSeconds, null, "TENON_END_SECONDS", "3600",
            "one that nothing is asked of for so long is ended; the next call starts another over its files")
        {
            Range = (1, SecondsMax),
        },
        new(RetentionDays, null, "TENON_RETENTION_DAYS", "30",
            "a session's files are deleted so long after its last activity; the session stays")
        {
            Range = (1, 36_500),
        },
        new(DiskMegabytes, null, "TENON_DISK_MB", "10240",
            "the size of a session's files in MiB, where the server is root; 0 gives no session a disk of its own")
        {
            Range = (0, 16 * 1024 * 1024),
        },
        new(DiskFiles, null, "TENON_DISK_FILES", "1000000", "how many files and folders a session may have, likewise")
        {
            Range = (1_000, 100_000_000),
        },
        new(Hand, null, "TENON_HAND", DefaultHand(), "the program that runs tools inside a sandbox"),
        new(Driver, "--driver", "TENON_DRIVER", "bubblewrap",
            "what starts sandboxes: bubblewrap, or oci for a container runtime (docs/operations/security.md)"),
        new(OciRuntime, "--oci-runtime", "TENON_OCI_RUNTIME", "runc",
            "the container runtime of the driver oci, by name or path"),
        new(FirstUid, null, "TENON_FIRST_UID", "2000000",
            "the first of the uids that sandboxes get when the server is root"),
        new(UidCount, null, "TENON_UID_COUNT", "50000",
            "how many such uids there are: a session has one as long as it has files"),
        new(Image, "--sandbox-image", "TENON_SANDBOX_IMAGE", null,
            "the system that sandboxes have, as ./tenon image build makes one; the host's /usr when unset"),
        new(AptMirror, null, "TENON_APT_MIRROR", null, "a line of sources.list in place of the base's own"),
        new(CargoMirror, null, "TENON_CARGO_MIRROR", null, "a sparse index in place of crates.io's"),
        new(GemMirror, null, "TENON_GEM_MIRROR", null, "a source of gems in place of rubygems.org"),
        new(GoMirror, null, "TENON_GO_MIRROR", null, "a module proxy in place of proxy.golang.org"),
        new(NpmMirror, null, "TENON_NPM_MIRROR", null, "a registry in place of registry.npmjs.org"),
        new(PipMirror, null, "TENON_PIP_MIRROR", null, "a simple index in place of pypi.org's"),
        new(AllowedRanges, "--egress-ranges", "TENON_EGRESS_RANGES", null,
            "private ranges that sandboxes, web_fetch and MCP may reach, with commas (docs/operations/egress.md)"),
        new(PackageHosts, "--package-hosts", "TENON_PACKAGE_HOSTS", null,
            "hosts of package mirrors beside the public ones, with commas between"),
        new(ExtraRoots, "--extra-roots", "TENON_EXTRA_ROOTS", null,
            "a PEM file of authorities that sandboxes and their proxy trust beside the public ones"),
        new(FilesStore, "--files-store", "TENON_FILES_STORE", "folder",
            "where the bytes of files are: folder, in the data folder, or s3 (docs/operations/files.md)"),
        new(FileMegabytes, "--files-max-mb", "TENON_FILES_MAX_MB", "500", "the size of one file in MiB")
        {
            Range = (1, 1024 * 1024),
        },
        new(S3Bucket, "--s3-bucket", "TENON_S3_BUCKET", null,
            "the bucket; the credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        new(S3Prefix, null, "TENON_S3_PREFIX", "tenon/", "what every key begins with"),
        new(S3Region, null, "TENON_S3_REGION", null, "the bucket's region; AWS_REGION when unset"),
        new(S3Endpoint, "--s3-endpoint", "TENON_S3_ENDPOINT", null, "the URL of another service than Amazon's"),
        new(S3CacheMegabytes, null, "TENON_S3_CACHE_MB", "10240", "how much of it is kept on this machine too, in MiB")
        {
            Range = (0, 1024 * 1024 * 1024),
        },
        new(Search, "--search", "TENON_SEARCH_BACKEND", null,
            "what web_search asks: searxng, brave, tavily or local; none when unset (docs/concepts/web-tools.md)"),
        new(SearxngUrl, null, "TENON_SEARXNG_URL", null, "where the SearXNG is that the back end searxng asks"),
        new(BraveKey, null, "TENON_BRAVE_KEY", null, "the key of the back end brave, also read from BRAVE_API_KEY")
        {
            IsSecret = true, UsualVariable = "BRAVE_API_KEY",
        },
        new(BraveUrl, null, "TENON_BRAVE_URL", "https://api.search.brave.com/res/v1/web/search",
            "the address of its web search"),
        new(TavilyKey, null, "TENON_TAVILY_KEY", null,
            "the key of the back end tavily, also read from TAVILY_API_KEY")
        {
            IsSecret = true, UsualVariable = "TAVILY_API_KEY",
        },
        new(TavilyUrl, null, "TENON_TAVILY_URL", "https://api.tavily.com/search", "the address of its search"),
        new(SearchFolder, null, "TENON_SEARCH_FOLDER", null,
            "the folder of text, Markdown and HTML files that the back end local finds"),
        new(SearchFolderUrl, null, "TENON_SEARCH_FOLDER_URL", null,
            "where the files of that folder are served; without it their sources are no URLs"),
        new(RepositoryHosts, "--repository-hosts", "TENON_REPOSITORY_HOSTS", null,
            "hosts beside github.com whose Git repositories sessions can have, with commas between"),
        new(VaultKeyFile, "--vault-key-file", "TENON_VAULT_KEY_FILE", null,
            "the file of the keys that seal credentials; vault.key in the data folder when nothing else is said"),
        new(VaultKey, null, "TENON_VAULT_KEY", null,
            "those keys themselves, in base64 with commas between (docs/operations/vaults.md)")
        {
            IsSecret = true,
        },
        new(VaultKeyCommand, null, "TENON_VAULT_KEY_COMMAND", null, "a shell command that prints those keys"),
        new(Prices, "--prices", "TENON_PRICES", null,
            "a JSON file of list prices in place of the built-in ones (docs/operations/prices.md)"),
        new(Postgres, "--postgres", "TENON_POSTGRES", null,
            "the connection string of a PostgreSQL database in place of SQLite (docs/operations/postgresql.md)")
        {
            IsSecret = true,
        },
    ];

    private const int SecondsMax = 365 * 24 * 3600;

    private static string Rid => RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64";

    private static string DefaultHand()
    {
        var beside = Path.Combine(AppContext.BaseDirectory, "Tenon.Hand");
        var built = Path.GetFullPath(Path.Combine(
            AppContext.BaseDirectory, $"../../../publish/Tenon.Hand/release_{Rid}/Tenon.Hand"));
        return File.Exists(beside) ? beside : built;
    }
}

/// <summary>The settings cannot be used; the message says which and why.</summary>
public sealed class SettingsException(string message) : Exception(message);
