// The calls of the SDK's example of a session, in its order: the message is sent before the stream is open.
import assert from 'node:assert/strict';
import { client, model } from './lab.mjs';

const environment = await client.beta.environments.create({ name: 'example' });
const agent = await client.beta.agents.create({ name: 'example', model });
const session = await client.beta.sessions.create({
  environment_id: environment.id,
  agent: { type: 'agent', id: agent.id },
});
await client.beta.sessions.events.send(session.id, {
  events: [{ type: 'user.message', content: [{ type: 'text', text: 'Say something.' }] }],
});
const types = [];
for await (const event of await client.beta.sessions.events.stream(session.id)) {
  types.push(event.type);
  if (event.type === 'session.status_idle') break;
}

assert.equal(types[0], 'user.message');
assert.ok(types.includes('agent.message'));
