// What the SDK's comprehensive example does, in its order: everything that an agent can have at once, and a message that is
// sent before the stream is open. It ends on its own, at the first idle that waits for nothing.
import assert from 'node:assert/strict';
import { client, message, model, send, text, the } from './lab.mjs';

const { CONFORMANCE_MCP: url, CONFORMANCE_TOKEN: token } = process.env;
const environment = await client.beta.environments.create({ name: 'everything' });
const vault = await client.beta.vaults.create({ display_name: 'everything' });
const credential = await client.beta.vaults.credentials.create(vault.id, {
  display_name: 'code host',
  auth: { type: 'static_bearer', mcp_server_url: url, token },
});
assert.ok(!JSON.stringify(credential).includes(token));
const skill = await client.skills.create({
  display_name: `greeting-${Date.now()}`,
  files: [
    new File(['---\nname: greeting\ndescription: Greets.\n---\n\nSay good day.\n'], 'greeting/SKILL.md', {
      type: 'text/markdown',
    }),
  ],
});

const first = await client.beta.agents.create({
  name: 'everything',
  model,
  system: 'You help.',
  mcp_servers: [{ type: 'url', name: 'code', url }],
  tools: [
    { type: 'agent_toolset_20260401' },
    { type: 'mcp_toolset', mcp_server_name: 'code' },
    {
      type: 'custom',
      name: 'get_weather',
      description: 'The weather of a city now.',
      input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  ],
});
const agent = await client.beta.agents.update(first.id, {
  version: first.version,
  skills: [
    { type: 'custom', skill_id: skill.id },
    { type: 'anthropic', skill_id: 'xlsx' },
  ],
});
const versions = await client.beta.agents.versions.list(agent.id);
assert.deepEqual(versions.data.map((version) => version.version), [2, 1]);

const session = await client.beta.sessions.create({
  environment_id: environment.id,
  agent: { type: 'agent', id: agent.id, version: agent.version },
  vault_ids: [vault.id],
});
await send(session, message('Say what you can use, and use it.'));

const events = [];
for await (const event of await client.beta.sessions.events.stream(session.id)) {
  events.push(event);
  if (event.type === 'agent.custom_tool_use') {
    assert.equal(event.name, 'get_weather');
    await send(session, {
      type: 'user.custom_tool_result',
      custom_tool_use_id: event.id,
      content: [{ type: 'text', text: '{"temperature_c": 14}' }],
    });
  }
  if (event.type === 'agent.mcp_tool_use') {
    await send(session, { type: 'user.tool_confirmation', tool_use_id: event.id, result: 'allow' });
  }
  if (event.type === 'session.status_idle' && event.stop_reason.type === 'end_turn') break;
}

assert.equal(events[0].type, 'user.message');
assert.ok(!events.some((event) => event.type === 'session.error'));
assert.equal(text(the(events, 'agent.mcp_tool_result')), 'two repositories');
assert.match(text(the(events, 'agent.tool_result')), /Say good day/);
