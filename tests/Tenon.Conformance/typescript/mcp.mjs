// An agent with two MCP servers, one of which is away. The first call asks, and is allowed.
import assert from 'node:assert/strict';
import { client, createSession, message, open, send, text, the } from './lab.mjs';

const session = await createSession(
  [
    { type: 'mcp_toolset', mcp_server_name: 'greeter' },
    { type: 'mcp_toolset', mcp_server_name: 'away', default_config: { permission_policy: { type: 'always_allow' } } },
  ],
  undefined,
  {
    mcp_servers: [
      { type: 'url', name: 'greeter', url: process.env.CONFORMANCE_MCP },
      { type: 'url', name: 'away', url: 'http://127.0.0.2:1/mcp' },
    ],
  },
);
assert.equal(session.agent.mcp_servers.length, 2);
const stream = await open(session);
await send(session, message('greet'));

const asked = await stream.readTo('session.status_idle');
const error = the(asked, 'session.error').error;
assert.equal(error.type, 'mcp_connection_failed_error');
assert.equal(error.mcp_server_name, 'away');
assert.equal(error.retry_status.type, 'retrying');
const use = the(asked, 'agent.mcp_tool_use');
assert.equal(use.mcp_server_name, 'greeter');
assert.equal(use.name, 'greet');
assert.equal(use.evaluated_permission, 'ask');
assert.deepEqual(asked.at(-1).stop_reason.event_ids, [use.id]);

// Only an idle session takes other servers.
await client.beta.sessions.update(session.id, {
  agent: {
    mcp_servers: [{ type: 'url', name: 'greeter', url: process.env.CONFORMANCE_MCP }],
    tools: [{ type: 'mcp_toolset', mcp_server_name: 'greeter' }],
  },
});
await send(session, { type: 'user.tool_confirmation', tool_use_id: use.id, result: 'allow' });
const done = await stream.readTo('session.status_idle');
stream.close();
const result = the(done, 'agent.mcp_tool_result');
assert.equal(result.mcp_tool_use_id, use.id);
assert.equal(text(result), 'hello from afar');
assert.ok(!done.some((event) => event.type === 'session.error'));
assert.equal(done.at(-1).stop_reason.type, 'end_turn');
