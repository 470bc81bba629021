namespace Tenon.Server.Tests.Support;

/// <content>From sessions on.</content>
public static partial class RefusalCases
{
    private const string SessionText = """
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
}
