using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Tenon.Server.Tests.Support;

namespace Tenon.Server.Tests.Repositories;

/// <summary>
/// A Git server on loopback, over TLS: git's own <c>http-backend</c> behind a login. <c>/team/private</c> needs a token
/// to be read, <c>/team/public</c> only to be written to.
/// </summary>
internal sealed class GitHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TempFolder _folder = new();

    private GitHost(WebApplication app) => _app = app;

    public int Port => new Uri(_app.Urls.Single()).Port;

    /// <summary>The tokens that are taken; their value says whether they may read the private repository.</summary>
    public ConcurrentDictionary<string, bool> Tokens { get; } = new();

    /// <summary>Every request: its method, path, and who was let in.</summary>
    public ConcurrentQueue<string> Got { get; } = new();

    public string Url(string name) => FormattableString.Invariant($"https://git.test:{Port}/team/{name}");

    /// <summary>The bare repository of a name, on this machine.</summary>
    public string PathOf(string name) => Path.Combine(_folder.Path, "team", name);

    public static async Task<GitHost> Start(X509Certificate2 certificate)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate));
        });
        var app = builder.Build();
        var host = new GitHost(app);
        app.Map("/{*path}", host.Serve);
        await app.StartAsync();
        foreach (var name in (string[])["private", "public", "empty"])
        {
            host.Git("", "init", "-q", "--bare", "-b", "main", host.PathOf(name));
            host.Git(host.PathOf(name), "config", "http.receivepack", "true");
        }

        return host;
    }

    /// <summary>Puts a commit with these files onto a branch, made of the branch before it. The commit's id.</summary>
    public string Commit(string name, string branch, params (string Path, string Content)[] files)
    {
        var work = Path.Combine(_folder.Path, "work", Guid.NewGuid().ToString("N"));
        Git("", "clone", "-q", PathOf(name), work);
        Git(work, "checkout", "-q", "-B", branch);
        foreach (var (path, content) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(work, path))!);
            File.WriteAllText(Path.Combine(work, path), content);
        }

        Git(work, "add", "-A");
        Git(work, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "change");
        Git(work, "push", "-q", "-f", "origin", branch);
        return Git(work, "rev-parse", "HEAD");
    }

    /// <summary>What git says to this.</summary>
    public string Git(string folder, params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments)
        {
            WorkingDirectory = folder.Length > 0 ? folder : _folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = git.StandardOutput.ReadToEnd();
        var errors = git.StandardError.ReadToEnd();
        git.WaitForExit();
        return git.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException(errors);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _folder.Dispose();
    }

    private async Task Serve(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        var token = TokenOf(request);
        var (isKnown, mayRead) = (token is not null && Tokens.ContainsKey(token),
            token is not null && Tokens.GetValueOrDefault(token));
        var path = request.Path.Value!;
        Got.Enqueue($"{request.Method} {path}{request.QueryString} {(isKnown ? "known" : "unknown")}");
        var writes = $"{path}{request.QueryString}".Contains("git-receive-pack", StringComparison.Ordinal);
        if ((writes || path.StartsWith("/team/private", StringComparison.Ordinal)) && !isKnown)
        {
            response.Headers.WWWAuthenticate = "Basic realm=\"git\"";
            response.StatusCode = 401;
        }
        else if (path.StartsWith("/team/private", StringComparison.Ordinal) && !mayRead)
        {
            response.StatusCode = 403;
        }
        else
        {
            await Run(request, response);
        }
    }

    private static string? TokenOf(HttpRequest request) =>
        request.Headers.Authorization.ToString() is ['B', 'a', 's', 'i', 'c', ' ', .. var pair]
            && Encoding.UTF8.GetString(Convert.FromBase64String(pair)).Split(':') is ["x-access-token", var token]
                ? token : null;

    // CGI (RFC 3875): a head of lines, an empty line, and the body.
    private async Task Run(HttpRequest request, HttpResponse response)
    {
        var start = new ProcessStartInfo("git", ["http-backend"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        foreach (var (name, value) in (List<(string, string)>)[
            ("GIT_PROJECT_ROOT", _folder.Path), ("GIT_HTTP_EXPORT_ALL", "1"), ("PATH_INFO", request.Path.Value!),
            ("QUERY_STRING", request.QueryString.Value!.TrimStart('?')), ("REQUEST_METHOD", request.Method),
            ("CONTENT_TYPE", request.ContentType ?? ""), ("REMOTE_USER", "agent"), ("REMOTE_ADDR", "127.0.0.1"),
            ("HTTP_CONTENT_ENCODING", request.Headers.ContentEncoding.ToString()),
            ("GIT_PROTOCOL", request.Headers["Git-Protocol"].ToString()),
            ("CONTENT_LENGTH", request.ContentLength?.ToString(CultureInfo.InvariantCulture) ?? "")])
        {
            start.Environment[name] = value;
        }

        using var git = Process.Start(start)!;
        await request.Body.CopyToAsync(git.StandardInput.BaseStream);
        git.StandardInput.Close();
        var output = git.StandardOutput.BaseStream;
        for (var line = await ReadLine(output); line.Length > 0; line = await ReadLine(output))
        {
            var (name, value) = line.Split(": ", 2) switch { var parts => (parts[0], parts[1]) };
            if (name == "Status")
            {
                response.StatusCode = int.Parse(value[..3], CultureInfo.InvariantCulture);
            }
            else
            {
                response.Headers[name] = value;
            }
        }

        await output.CopyToAsync(response.Body);
        await git.WaitForExitAsync();
    }

    private static async Task<string> ReadLine(Stream stream)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (await stream.ReadAsync(one) == 1 && one[0] != '\n')
        {
            line.Append((char)one[0]);
        }

        return line.ToString().TrimEnd('\r');
    }
}
