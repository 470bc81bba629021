using System.Text;
using System.Text.RegularExpressions;
using Tenon.Server.Http;
using Tenon.Wire.Agents;
using Tenon.Wire.Hand;

namespace Tenon.Server.Agents;

/// <summary>What an agent's MCP servers may be: those of api B.1, and as an extension <c>stdio</c>.</summary>
public static partial class McpServerRules
{
    private const int ServersMax = 20;
    private const int NameMax = 255;
    private const int UrlMax = 2_048;

    /// <summary>
    /// Half of what a hand runs: a session's threads may have several agents, and an entry that was changed leaves its
    /// program to rest for a while.
    /// </summary>
    private const int StdioMax = HandProtocol.ProgramsMax / 2;

    // A path, and not a script.
    private const int CommandMax = 1_024;

    // Together they are far below what the kernel takes of one program.
    private const int ArgumentsMax = 64;
    private const int ArgumentMax = 8_192;
    private const int VariablesMax = 64;
    private const int EnvironmentBytesMax = 32 * 1024;

    /// <exception cref="ApiException">400.</exception>
    public static void Check(IReadOnlyList<McpServer> servers)
    {
        if (servers.Count > ServersMax)
        {
            throw ApiException.Invalid("mcp_servers", $"at most {ServersMax} are allowed.");
        }

        ApiException.RefuseNulls("mcp_servers", servers);
        if (servers.Count(server => server.IsStdio) > StdioMax)
        {
            throw ApiException.Invalid("mcp_servers", $"at most {StdioMax} may be of the type stdio.");
        }

        for (var i = 0; i < servers.Count; i++)
        {
            var (path, server) = ($"mcp_servers.{i}", servers[i]);
            Length($"{path}.name", server.Name, NameMax);
            switch (server.Type)
            {
                case McpServer.UrlType:
                    CheckUrl($"{path}.url", server.Url);
                    break;
                case McpServer.StdioType:
                    CheckProgram(path, server);
                    break;
                default:
                    throw ApiException.Invalid($"{path}.type", $"'{server.Type}' is neither url nor stdio.");
            }

            if (servers.Take(i).Any(earlier => earlier.Name == server.Name))
            {
                throw ApiException.Invalid($"{path}.name", $"the name '{server.Name}' is used twice.");
            }
        }
    }

    private static void CheckUrl(string path, string? url)
    {
        Length(path, url, UrlMax);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https"))
        {
            throw ApiException.Invalid(path, "must be an absolute http or https URL.");
        }
    }

    private static void CheckProgram(string path, McpServer server)
    {
        Length($"{path}.command", server.Command, CommandMax);
        RefuseNul($"{path}.command", server.Command!);
        var arguments = server.Args ?? [];
        ApiException.RefuseNulls($"{path}.args", arguments);
        if (arguments.Count > ArgumentsMax)
        {
            throw ApiException.Invalid($"{path}.args", $"at most {ArgumentsMax} are allowed.");
        }

        for (var i = 0; i < arguments.Count; i++)
        {
            if (arguments[i].Length > ArgumentMax)
            {
                throw ApiException.Invalid($"{path}.args.{i}", $"must have at most {ArgumentMax} characters.");
            }

            RefuseNul($"{path}.args.{i}", arguments[i]);
        }

        CheckEnvironment($"{path}.env", server.Env ?? new Dictionary<string, string>());
    }

    private static void CheckEnvironment(string path, IReadOnlyDictionary<string, string> variables)
    {
        if (variables.Count > VariablesMax
            || variables.Sum(one => Encoding.UTF8.GetByteCount(one.Key + (one.Value ?? ""))) > EnvironmentBytesMax)
        {
            throw ApiException.Invalid(
                path, $"at most {VariablesMax} variables of together {EnvironmentBytesMax} bytes are allowed.");
        }

        foreach (var (name, value) in variables)
        {
            if (!VariableName().IsMatch(name))
            {
                throw ApiException.Invalid(path, $"'{name}' is not the name of an environment variable.");
            }

            if (value is null)
            {
                throw ApiException.Invalid($"{path}.{name}", "null is not allowed");
            }

            RefuseNul($"{path}.{name}", value);
        }
    }

    private static void RefuseNul(string path, string text)
    {
        if (text.Contains('\0', StringComparison.Ordinal))
        {
            throw ApiException.Invalid(path, "must not have a NUL character.");
        }
    }

    private static void Length(string path, string? value, int max)
    {
        if (value is null)
        {
            throw ApiException.Invalid(path, "field required");
        }

        if (value.Length is 0 || value.Length > max)
        {
            throw ApiException.Invalid(path, $"must have 1 to {max} characters.");
        }
    }

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]*\z")]
    private static partial Regex VariableName();
}
