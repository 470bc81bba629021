namespace Tenon.Server.Tests.Support;

/// <summary>
/// Requests that are refused, and how: the request, then its status and what its message begins with. A line that
/// starts with a space belongs to the one before. docs/compatibility.md has the same cases as a table.
/// </summary>
public static partial class RefusalCases
{
    private const string Text = """
        POST /v1/agents {"name":""}
        400 name: must have 1 to 256 characters.
        POST /v1/agents {"model":null}
        400 model: null is not allowed
        POST /v1/agents {"multiagent":{"type":"x"}}
        400 multiagent.type: must be coordinator or multiagent_20261001.
        POST /v1/agents {"multiagent":{"type":"coordinator","agents":[]}}
        400 multiagent.agents: must be a list of 1 to 20 agents.
        POST /v1/agents {"multiagent":{"type":"coordinator","agents":["agent_none"]}}
        400 multiagent.agents.0: there is no agent 'agent_none'.
        POST /v1/agents {"multiagent":{"type":"coordinator","agents":[{"type":"x"}]}}
        400 multiagent.agents.0.type: 'x' is not one of agent, self, advisor.
        POST /v1/agents {"multiagent":{"type":"coordinator","agents":[{"type":"self"},{"type":"self"}]}}
        400 multiagent.agents.1: agent '
        POST /v1/agents {"multiagent":{"type":"coordinator","agents":[{"type":"advisor"}]}}
        400 multiagent.agents.0.model: must be a text of 1 to 256 characters.
        POST /v1/agents {"multiagent":{"type":"multiagent_20261001","subagents":{"type":"on"}}}
        400 multiagent.subagents.type: 'on' is neither enabled nor disabled.
        POST /v1/agents {"multiagent":{"type":"multiagent_20261001","advisor":{"type":"enabled"}}}
        400 multiagent.advisor.model: must be a text of 1 to 256 characters.
        POST /v1/agents {"multiagent":{"type":"multiagent_20261001","agents":[]}}
        400 multiagent.agents: is not a member of multiagent_20261001.
        POST /v1/agents {"tools":[{"type":"agent_toolset_20260401"},{"type":"agent_toolset_20260401"}]}
        400 tools.1: this toolset is in the list twice.
        POST /v1/agents {"tools":[BUILTIN({"name":"bash"},{"name":"bash"})]}
        400 tools.0.configs.1.name: the name 'bash' is used twice.
        POST /v1/agents {"tools":[BUILTIN({"name":"bash","type":"read"})]}
        400 tools.0.configs.0.type: 'read' is not the tool's name, bash.
        POST /v1/agents {"tools":[{"type":"mcp_toolset","mcp_server_name":"s","configs":[{"name":""}]}]}
        400 tools.0.configs.0.name: must have 1 to 128 characters.
        POST /v1/agents {"mcp_servers":[{"type":"url","name":"s","url":"https://a.com"}]}
        400 mcp_servers: no mcp_toolset in tools refers to the server 's'.
        POST /v1/agents {"tools":[{"type":"mcp_toolset","mcp_server_name":"s"}]}
        400 tools: the mcp_toolset names the server 's', which mcp_servers lacks.
        POST /v1/agents {"mcp_servers":[{"type":"sse","name":"s","url":"https://a.com"}]}
        400 mcp_servers.0.type: 'sse' is neither url nor stdio.
        POST /v1/agents {"mcp_servers":[{"type":"url","name":"s"}]}
        400 mcp_servers.0.url: field required
        POST /v1/agents {"mcp_servers":[{"type":"stdio","name":"s","url":"https://a.com"}]}
        400 mcp_servers.0.command: field required
        POST /v1/agents {"mcp_servers":[{"type":"stdio","name":"s","command":""}]}
        400 mcp_servers.0.command: must have 1 to 1024 characters.
        POST /v1/agents {"mcp_servers":[{"type":"stdio","name":"s","command":"c","args":[null]}]}
        400 mcp_servers.0.args.0: null is not allowed
        POST /v1/agents {"mcp_servers":[{"type":"stdio","name":"s","command":"c","args":["a\u0000"]}]}
        400 mcp_servers.0.args.0: must not have a NUL character.
        POST /v1/agents {"mcp_servers":[{"type":"stdio","name":"s","command":"c","env":{"A-B":"c"}}]}
        400 mcp_servers.0.env: 'A-B' is not the name of an environment variable.
        POST /v1/agents {"mcp_servers":[{"type":"stdio","name":"s","command":"c","env":{"A":null}}]}
        400 mcp_servers.0.env.A: null is not allowed
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","allowed_domains":["a.co"],"blocked_domains":["b.co"]})]}
        400 tools.0.configs.0: Only one of allowed_domains or blocked_domains may be set.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","allowed_domains":[]})]}
        400 tools.0.configs.0.allowed_domains: must be a list of 1 to 64 domains.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","allowed_domains":["https://a.com"]})]}
        400 tools.0.configs.0.allowed_domains.0: 'https://a.com' is not a plain domain such as example.com
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","allowed_domains":["a.com/b"]})]}
        400 tools.0.configs.0.allowed_domains.0: 'a.com/b' is not a plain domain such as example.com
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","blocked_domains":["a.com","*.b.com"]})]}
        400 tools.0.configs.0.blocked_domains.1: '*.b.com' is not a plain domain such as example.com
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","blocked_domains":["10.0.0.1"]})]}
        400 tools.0.configs.0.blocked_domains.0: '10.0.0.1' is not a plain domain such as example.com
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","blocked_domains":["com"]})]}
        400 tools.0.configs.0.blocked_domains.0: 'com' is not a plain domain such as example.com
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","allowed_domains":["db.internal"]})]}
        400 tools.0.configs.0.allowed_domains.0: 'db.internal' is not a public domain.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","allowed_domains":["a.com","A.com"]})]}
        400 tools.0.configs.0.allowed_domains.1: 'A.com' is in the list twice.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","max_content_tokens":0})]}
        400 tools.0.configs.0.max_content_tokens: must be a whole number above 0.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","url_sources":{"user_input":{"type":"only"}}})]}
        400 tools.0.configs.0.url_sources.user_input: must be all or none.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","url_sources":
         {"user_input":"none","client_tool_results":"none","server_tool_results":"none"}})]}
        400 tools.0.configs.0.url_sources: must leave at least one source.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","url_sources":
         {"client_tool_results":{"type":"only","tools":[]}}})]}
        400 tools.0.configs.0.url_sources.client_tool_results.tools: must be a list of 1 to 128 tools.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","url_sources":
         {"client_tool_results":{"type":"only","tools":[{"type":"tool_reference","name":"x"}]}}})]}
        400 tools.0.configs.0.url_sources.client_tool_results.tools.0.name: 'x' is not a tool that gives
        POST /v1/agents {"tools":[BUILTIN({"name":"web_fetch","url_sources":
         {"server_tool_results":{"type":"except","tools":[{"type":"tool_reference","name":"bash"}]}}})]}
        400 tools.0.configs.0.url_sources.server_tool_results.tools.0.name: 'bash' is not a tool that gives
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","user_location":{"type":"exact"}})]}
        400 tools.0.configs.0.user_location: must have the type approximate.
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","user_location":{"type":"approximate","country":"no"}})]}
        400 tools.0.configs.0.user_location.country: must be two capital letters (ISO 3166-1).
        POST /v1/agents {"tools":[BUILTIN({"name":"web_search","user_location":{"type":"approximate","timezone":"x"}})]}
        400 tools.0.configs.0.user_location.timezone: must be an IANA time zone such as Europe/Oslo.
        POST /v1/agents {"tools":[CUSTOM({"type":5})]}
        400 tools.0.input_schema: must be a JSON Schema with "type": "object".
        POST /v1/agents {"tools":[CUSTOM({"type":"object","anyOf":[]})]}
        400 tools.0.input_schema.anyOf: is not allowed at the top of the schema.
        POST /v1/agents {"tools":[CUSTOM({"type":"object","properties":{"a b":{}}})]}
        400 tools.0.input_schema.properties: the name 'a b' must be 1 to 64 letters, digits, underscores, dots and
        POST /v1/agents {"tools":[CUSTOM({"type":"object","properties":{"a":{"items":[{"$ref":"#"}]}}})]}
        400 tools.0.input_schema.properties.a.items.0.$ref: references are not allowed in an input schema.
        POST /v1/agents {"skills":[{"type":"anthropic","skill_id":"word"}]}
        400 skills.0.skill_id: no skill 'word' ships with this server; these do: docx, pdf, pptx, xlsx.
        POST /v1/agents {"skills":[{"type":"custom","skill_id":"skill_x"}]}
        400 skills.0.skill_id: skill 'skill_x' was not found.
        POST /v1/agents {"skills":[{"type":"anthropic","skill_id":"pdf","version":"skver_x"}]}
        400 skills.0.version: version 'skver_x' of skill 'pdf' was not found.
        POST /v1/agents/{agent} {"version":0}
        400 version: must be at least 1.
        POST /v1/agents/{agent} {"version":7}
        409 Agent '{agent}' is at version 1, not 7
        POST /v1/agents/{agent} {"name":null}
        400 name: cannot be cleared.
        POST /v1/agents/{archived_agent} {"name":"m"}
        400 Agent '{archived_agent}' is archived and cannot change.
        GET /v1/agents/{agent}?version=2
        404 Version 2 of agent '{agent}' was not found.
        GET /v1/agents?limit=101
        400 limit: '101' is not a number from 1 to 100.
        POST /v1/environments {"name":""}
        400 name: must have 1 to 256 characters.
        POST /v1/environments {"scope":"x"}
        400 scope: 'x' is neither organization nor account.
        POST /v1/environments {"config":{"type":"x"}}
        400 config.type: 'x' is neither cloud nor self_hosted.
        POST /v1/environments {"config":{"type":"cloud","networking":{"type":"limited"},"packages":{"pip":["x"]}}}
        400 config.packages: packages under limited networking need allow_package_managers.
        POST /v1/environments/{env} {"config":{"type":"self_hosted"}}
        400 config.type: an environment cannot change from cloud to self_hosted. (invalid_config_type_change)
        POST /v1/environments/{archived_env} {"name":"m"}
        400 Environment '{archived_env}' is archived and cannot change. (environment_archived)
        GET /v1/environments/env_x
        404 Environment 'env_x' was not found. (environment_not_found)
        POST /v1/vaults {"display_name":""}
        400 display_name: must have 1 to 255 characters.
        POST /v1/vaults {"display_name":null}
        400 display_name: null is not allowed
        POST /v1/vaults/vlt_x {"display_name":"n"}
        404 Vault 'vlt_x' was not found.
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"x"}}
        400 auth.type: 'x' is not one of mcp_oauth, static_bearer, environment_variable.
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"static_bearer","token":"t"}}
        400 auth.mcp_server_url: field required
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"static_bearer","token":"t","mcp_server_url":"http://a.co"}}
        400 auth.mcp_server_url: must be an https URL
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"static_bearer","token":"a b","mcp_server_url":"https://a"}}
        400 auth.token: must be 1 to 8192 visible ASCII characters.
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"mcp_oauth","mcp_server_url":"https://a.co",
         "access_token":"t","expires_at":"2020-01-01T00:00:00Z"}}
        400 auth.expires_at: must be in the future.
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"mcp_oauth","mcp_server_url":"https://a.co",
         "access_token":"t","refresh":{"client_id":"c","refresh_token":"r","token_endpoint":"https://a.co",
         "token_endpoint_auth":{"type":"basic"}}}}
        400 auth.refresh.token_endpoint_auth.type: 'basic' is not one of none, client_secret_basic
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"mcp_oauth","mcp_server_url":"https://a.co",
         "access_token":"t","refresh":{"client_id":"c","refresh_token":"r","token_endpoint":"https://a.co",
         "token_endpoint_auth":{"type":"client_secret_post"}}}}
        400 auth.refresh.token_endpoint_auth.client_secret: field required
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"environment_variable","secret_name":"1A"}}
        400 auth.secret_name: must be the name of an environment variable
        POST /v1/vaults/{vault}/credentials {"auth":{"type":"environment_variable","secret_name":"HTTP_PROXY"}}
        400 auth.secret_name: every sandbox has a HTTP_PROXY of its own.
        POST /v1/vaults/{vault}/credentials {"auth":VARIABLE("networking":{"type":"limited","allowed_hosts":[]})}
        400 auth.networking.allowed_hosts: must be a list of 1 to 16 hosts.
        POST /v1/vaults/{vault}/credentials {"auth":VARIABLE("networking":
         {"type":"limited","allowed_hosts":["https://a.co"]})}
        400 auth.networking.allowed_hosts.0: 'https://a.co' is not a host such as example.com
        POST /v1/vaults/{vault}/credentials {"auth":VARIABLE("networking":{"type":"open"})}
        400 auth.networking.type: 'open' is neither limited nor unrestricted.
        POST /v1/vaults/{vault}/credentials {"auth":VARIABLE("injection_location":null)}
        400 auth.injection_location: null is not allowed; omit the field instead.
        POST /v1/vaults/{vault}/credentials {"auth":VARIABLE("injection_location":{"body":null})}
        400 auth.injection_location.body: null is not allowed; omit the field instead.
        POST /v1/vaults/{vault}/credentials {"auth":VARIABLE("injection_location":{})}
        400 auth.injection_location: at least one of header and body must be true.
        POST /v1/vaults/{vault}/credentials {"auth":VARIABLE("secret_value":"short")}
        400 auth.secret_value: must have 8 to 8192 bytes
        POST /v1/vaults/{vault}/credentials/{credential} {"auth":{"type":"mcp_oauth"}}
        400 auth.type: a credential cannot change from one kind to another.
        POST /v1/vaults/{vault}/credentials/{credential} {"auth":{"type":"static_bearer","mcp_server_url":"https://b"}}
        400 auth.mcp_server_url: cannot change: archive the credential and make a new one.
        POST /v1/vaults/{vault}/credentials/vcrd_x {}
        404 Credential 'vcrd_x' was not found.
        GET /v1/vaults?limit=0
        400 limit: '0' is not a number from 1 to 100.
        """;

    /// <summary>Every case, its parts as the table shows them.</summary>
    public static IReadOnlyList<Refused> All { get; } = [.. Read()];

    private static IEnumerable<Refused> Read()
    {
        var request = "";
        foreach (var line in $"{Text}\n{SessionText}".ReplaceLineEndings("\n").Split('\n'))
        {
            if (line is ['4', ..])
            {
                var coded = line.EndsWith(')') && line.LastIndexOf(" (", StringComparison.Ordinal) is var at
                    && line[(at + 2)..^1].Contains('_') ? at : line.Length;
                yield return new Refused(request, int.Parse(line[..3]), line[4..coded],
                    coded == line.Length ? null : line[(coded + 2)..^1]);
            }
            else
            {
                request = line is [' ', ..] ? request + line.Trim() : line;
            }
        }
    }
}

/// <param name="Request">Verb, path and body; the names in braces stand for ids.</param>
/// <param name="Message">What the message begins with.</param>
public sealed record Refused(string Request, int Status, string Message, string? ErrorCode)
{
    public string ErrorType => Status switch
    {
        404 => "not_found_error",
        409 => "conflict_error",
        _ => "invalid_request_error",
    };

    /// <summary>The case as a row of docs/compatibility.md.</summary>
    public string Row =>
        $"| `{Request}` | {Status} | `{ErrorType}`{(ErrorCode is null ? "" : $", `{ErrorCode}`")} | {Message} |";
}
