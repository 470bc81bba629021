namespace Tenon.Server.Tests.Support;

/// <summary>
/// Requests that are refused, and how: the request, then its status and what its message begins with. A line that
/// starts with a space belongs to the one before. docs/compatibility.md has the same cases as a table.
/// </summary>
public static class RefusalCases
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
        POST /v1/sessions {"title":5}
        400 title: the value has the wrong type
        POST /v1/sessions {"agent":"agent_x"}
        404 Agent 'agent_x' was not found.
        POST /v1/sessions {"agent":"{archived_agent}"}
        400 agent: agent '{archived_agent}' is archived.
        POST /v1/sessions {"agent":{"type":"agent_with_overrides","id":"{agent}","model":null}}
        400 agent.model: agent_model_required
        POST /v1/sessions {"environment_id":"{archived_env}"}
        400 environment_id: environment '{archived_env}' is archived. (environment_archived)
        POST /v1/sessions {"environment_id":"{self_hosted_env}","resources":[{"type":"file","file_id":"file_x"}]}
        400 Environment {self_hosted_env} is a self-hosted environment. `resources` are not
        POST /v1/sessions {"initial_events":[{"type":"user.interrupt"}]}
        400 initial_events.0.type: 'user.interrupt' cannot start a session
        POST /v1/sessions/{session} {"vault_ids":["vlt_x"]}
        400 vault_ids: cannot change after creation.
        POST /v1/sessions/{session} {"agent":{"mcp_servers":[{"type":"url","name":"s","url":"https://a.com"}]}}
        400 mcp_servers: no mcp_toolset in tools refers to the server 's'.
        POST /v1/sessions/{archived_session}/events {"events":[{"type":"user.interrupt"}]}
        409 Session '{archived_session}' is archived
        POST /v1/sessions/{session}/events {"events":[]}
        400 events: must not be empty.
        POST /v1/sessions/{session}/events {"events":[{"type":"agent.message","content":[]}]}
        400 events.0.type: 'agent.message' is not an event that clients send.
        POST /v1/sessions/{session}/events {"events":[{"type":"user.tool_result","tool_use_id":"sevt_1"}]}
        400 events.0: user.tool_result is only for sessions in self_hosted environments.
        POST /v1/sessions/{session}/events {"events":[
         {"type":"user.custom_tool_result","custom_tool_use_id":"sevt_1","content":[{"type":"redacted"}]}]}
        400 events.0.content.0.type: 'redacted' is not one of text, image, document, search_result.
        POST /v1/sessions/{self_hosted_session}/events {"events":[{"type":"user.tool_result","tool_use_id":"sevt_1"}]}
        400 events.0.tool_use_id: no call 'sevt_1' waits for this answer: it is unknown, or already answered.
        POST /v1/sessions/{session}/events {"events":[{"type":"user.define_outcome",
         "description":"","rubric":{"type":"text","content":"c"}}]}
        400 events.0.description: must have 1 to 262144 characters.
        POST /v1/sessions/{session}/events {"events":[{"type":"user.define_outcome","description":"d"}]}
        400 events.0.rubric: field required
        POST /v1/sessions/{session}/events {"events":[{"type":"user.define_outcome",
         "description":"d","rubric":{"type":"x"}}]}
        400 events.0.rubric.type: 'x' is neither text nor file.
        POST /v1/sessions/{session}/events {"events":[{"type":"user.define_outcome",
         "description":"d","rubric":{"type":"file","file_id":"file_x"}}]}
        400 events.0.rubric.file_id: file 'file_x' was not found.
        POST /v1/sessions/{session}/events {"events":[{"type":"user.define_outcome",
         "description":"d","max_iterations":21,"rubric":{"type":"text","content":"c"}}]}
        400 events.0.max_iterations: must be a number from 1 to 20.
        POST /v1/sessions/{session}/events {"events":[
         {"type":"user.define_outcome","description":"d","rubric":{"type":"text","content":"c"}},
         {"type":"user.define_outcome","description":"d","rubric":{"type":"text","content":"c"}}]}
        400 events.1: only one user.define_outcome is allowed at a time.
        POST /v1/sessions {"initial_events":[
         {"type":"user.define_outcome","description":"d","rubric":{"type":"text","content":"c"}},
         {"type":"user.define_outcome","description":"d","rubric":{"type":"text","content":"c"}}]}
        400 initial_events.1: only one user.define_outcome is allowed at a time.
        POST /v1/sessions {"initial_events":[{"type":"user.define_outcome","description":"d"}]}
        400 initial_events.0.rubric: field required
        POST /v1/sessions/{session}/events {"events":[{"type":"user.interrupt","session_thread_id":"sthr_x"}]}
        400 events.0.session_thread_id: the session has no thread 'sthr_x'.
        POST /v1/sessions/{session}/events {"events":[{"type":"system.message","content":[{"type":"text","text":"s"}]}]}
        400 events.0: a system.message must be the last event and directly follow
        POST /v1/sessions/{session}/events {"events":[{"type":"user.message","content":
         [{"type":"image","source":{"type":"file","file_id":"{file}"}}]}]}
        400 events.0.content.0.source.file_id: file '{file}' has the type text/csv;
        POST /v1/sessions {"resources":[{"type":"file","file_id":"file_x"}]}
        400 resources.0.file_id: file 'file_x' was not found.
        POST /v1/sessions {"resources":[{"type":"file","file_id":"{file}","mount_path":"../data.csv"}]}
        400 resources.0.mount_path: must be the path of a file below /mnt/session/uploads:
        POST /v1/sessions {"resources":[{"type":"file","file_id":"{file}"},{"type":"file","file_id":"{file}"}]}
        400 resources.1.mount_path: '/mnt/session/uploads/{file}' is taken by another file of this session.
        POST /v1/sessions {"resources":[{"type":"github_repository"}]}
        400 resources.0.url: field required
        POST /v1/sessions {"resources":[{"type":"github_repository","url":"https://github.com/a/b.git"}]}
        400 resources.0.url: must be https://github.com/<owner>/<repo> without .git
        POST /v1/sessions {"resources":[{"type":"github_repository","url":"git@github.com:a/b"}]}
        400 resources.0.url: must be https://github.com/<owner>/<repo> without .git
        POST /v1/sessions {"resources":[{"type":"github_repository","url":"https://gitlab.com/a/b"}]}
        400 resources.0.url: must be https://github.com/<owner>/<repo> without .git
        POST /v1/sessions {"resources":[REPOSITORY("mount_path":"/etc/b")]}
        400 resources.0.mount_path: must be a directory below /workspace
        POST /v1/sessions {"resources":[REPOSITORY("mount_path":"/workspace/../b")]}
        400 resources.0.mount_path: must be a directory below /workspace
        POST /v1/sessions {"resources":[REPOSITORY("mount_path":"/workspace/b"),
         REPOSITORY("mount_path":"/workspace/b/c")]}
        400 resources.1.mount_path: '/workspace/b/c' and '/workspace/b' are not beside each other.
        POST /v1/sessions {"resources":[REPOSITORY("checkout":{"type":"branch","name":"a..b"})]}
        400 resources.0.checkout.name: is not the name of a branch.
        POST /v1/sessions {"resources":[REPOSITORY("checkout":{"type":"commit","sha":"abc"})]}
        400 resources.0.checkout.sha: must be the whole id of a commit, in small letters.
        POST /v1/sessions {"resources":[REPOSITORY("checkout":{"type":"tag","name":"v1"})]}
        400 resources.0.checkout: must be {"type":"branch"
        POST /v1/sessions {"resources":[REPOSITORY("authorization_token":"a b c d e f")]}
        400 resources.0.authorization_token: must be 8 to 8192 visible ASCII characters.
        POST /v1/sessions {"environment_id":"{self_hosted_env}","resources":[REPOSITORY("checkout":null)]}
        400 Environment {self_hosted_env} is a self-hosted environment. `resources` are not
        POST /v1/sessions/{session}/resources {"type":"github_repository","url":"https://github.com/a/b"}
        400 type: a repository is attached when the session is created, and not later.
        POST /v1/sessions/{archived_session}/resources {"type":"file","file_id":"{file}"}
        409 Session '{archived_session}' is archived
        GET /v1/sessions/{session}/resources/sesrsc_x
        404 Resource 'sesrsc_x' was not found.
        POST /v1/files {}
        400 The body must be multipart/form-data with a boundary.
        GET /v1/files/file_x
        404 File 'file_x' was not found.
        GET /v1/files/{file}/content
        400 File '{file}' was uploaded, and only files that an agent made can be downloaded. (file_not_downloadable)
        GET /v1/files?ids[]=file_x&limit=1
        400 ids: cannot be combined with page or limit.
        POST /v1/sessions {"agent":{"type":"agent_with_overrides","id":"{agent}",
         "skills":[{"type":"anthropic","skill_id":"pdf"}]}}
        400 agent.tools: skills need the read tool, so the tools cannot be cleared alone.
        POST /v1/skills {}
        400 The body must be multipart/form-data with a boundary.
        GET /v1/skills?source=x
        400 source: 'x' is not one of custom, anthropic, anthropic_example, plugin.
        GET /v1/skills/skill_x
        404 Skill 'skill_x' was not found.
        GET /v1/skills/pdf/versions/1
        404 Version '1' of skill 'pdf' was not found.
        GET /v1/skills/pdf/versions/latest/content
        400 'latest' can be read, and nothing else: give the id of the version.
        DELETE /v1/skills/pdf
        400 Skill 'pdf' ships with the server and cannot be deleted.
        POST /v1/skills/pdf/versions {}
        400 Skill 'pdf' ships with the server and takes no versions.
        DELETE /v1/skills/skill_x/versions/latest
        400 'latest' can be read, and nothing else: give the id of the version.
        DELETE /v1/skills/skill_x/versions/skver_x
        404 Version 'skver_x' of skill 'skill_x' was not found.
        POST /v1/sessions {"resources":[{"type":"memory_store"}]}
        400 resources.0.memory_store_id: field required
        POST /v1/sessions {"resources":[{"type":"memory_store","memory_store_id":"memstore_x"}]}
        400 resources.0.memory_store_id: memory store 'memstore_x' was not found.
        POST /v1/sessions {"resources":[{"type":"memory_store","memory_store_id":"{archived_store}"}]}
        400 resources.0.memory_store_id: memory store '{archived_store}' is archived.
        POST /v1/sessions {"resources":[{"type":"memory_store","memory_store_id":"{store}","access":"x"}]}
        400 resources.0.access: 'x' is neither read_write nor read_only.
        POST /v1/sessions/{session}/resources {"type":"memory_store","memory_store_id":"{store}"}
        400 type: a memory store is attached when the session is created, and not later.
        POST /v1/memory_stores {"name":""}
        400 name: must have 1 to 255 characters.
        POST /v1/memory_stores {"name":"a\nb"}
        400 name: must not have control characters.
        POST /v1/memory_stores/{archived_store} {"name":"n"}
        400 Memory store '{archived_store}' is archived: what is in it can be read and deleted, and not changed.
        GET /v1/memory_stores/memstore_x
        404 Memory store 'memstore_x' was not found.
        POST /v1/memory_stores/{store}/memories {"path":"/a"}
        400 content: field required
        POST /v1/memory_stores/{store}/memories {"path":"/a","content":null}
        400 content: null is not allowed
        POST /v1/memory_stores/{store}/memories {"path":"a","content":""}
        400 path: must start with '/' and name something.
        POST /v1/memory_stores/{store}/memories {"path":"/a/../b","content":""}
        400 path: must not have segments that are empty, '.' or '..'.
        POST /v1/memory_stores/{store}/memories {"path":"/a\u0000","content":""}
        400 path: must not have control or format characters, or line or paragraph separators.
        POST /v1/memory_stores/{store}/memories {"path":"/e\u0301","content":""}
        400 path: must be in Unicode Normalization Form C.
        POST /v1/memory_stores/{store}/memories/{memory} {"precondition":{"type":"x"}}
        400 precondition.type: 'x' is not content_sha256.
        POST /v1/memory_stores/{store}/memories/{memory} {"precondition":{"type":"content_sha256","content_sha256":"X"}}
        400 precondition.content_sha256: must be 64 lowercase hexadecimal characters.
        DELETE /v1/memory_stores/{store}/memories/{memory}?expected_content_sha256=x
        400 expected_content_sha256: must be 64 lowercase hexadecimal characters.
        GET /v1/memory_stores/{store}/memories/mem_x
        404 Memory 'mem_x' was not found.
        GET /v1/memory_stores/{store}/memories?depth=2
        400 depth: '2' is not a number from 0 to 1.
        GET /v1/memory_stores/{store}/memories?path_prefix=/a
        400 path_prefix: must start and end with '/'.
        GET /v1/memory_stores/{store}/memories?view=x
        400 view: 'x' is neither basic nor full.
        GET /v1/memory_stores/{store}/memory_versions?operation=x
        400 operation: 'x' is not one of created, modified, deleted.
        GET /v1/memory_stores/{store}/memory_versions/memver_x
        404 Memory version 'memver_x' was not found.
        POST /v1/memory_stores/{store}/memory_versions/{version}/redact
        409 Memory version '{version}' is what its memory has now.
        GET /v1/memory_stores/{store}/search?q=
        400 q: must have words, and at most 256 characters.
        GET /v1/sessions?agent_version=1
        400 agent_version: needs agent_id.
        POST /v1/sessions/{session}/threads/{thread}/archive
        400 Thread '{thread}' is the primary thread, which is archived with its session
        GET /v1/sessions/{session}/threads/sthr_x
        404 Thread 'sthr_x' was not found.
        GET /v1/sessions/{session}/threads?limit=1001
        400 limit: '1001' is not a number from 1 to 1000.
        GET /v1/sessions/{session}/threads?page=page_x
        400 page: this cursor does not belong to this list.
        GET /v1/sessions/{session}/threads?statuses[]=x
        400 statuses: 'x' is not one of idle, running, rescheduling, terminated.
        GET /v1/sessions/{session}/events/stream?event_deltas[]=x
        400 event_deltas: 'x' is not one of agent.message, agent.thinking.
        """;

    /// <summary>Every case, its parts as the table shows them.</summary>
    public static IReadOnlyList<Refused> All { get; } = [.. Read()];

    private static IEnumerable<Refused> Read()
    {
        var request = "";
        foreach (var line in Text.ReplaceLineEndings("\n").Split('\n'))
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
