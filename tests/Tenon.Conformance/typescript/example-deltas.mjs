// The calls of the SDK's example of previews that a program accumulates itself; it ends by aborting its own stream.
import assert from 'node:assert/strict';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { client, message, model, text } from './lab.mjs';

const environment = await client.beta.environments.create({ name: 'example' });
const agent = await client.beta.agents.create({ name: 'example', model });
const session = await client.beta.sessions.create({
  environment_id: environment.id,
  agent: { type: 'agent', id: agent.id },
});
await client.beta.sessions.events.send(session.id, { events: [message('Write of the sea.')] });
const stream = await client.beta.sessions.events.stream(session.id, { event_deltas: ['agent.message'] });

const previews = new Map();
let final;
for await (const event of stream) {
  const id = event.type === 'event_delta' ? event.event_id : event.type === 'event_start' ? event.event.id : event.id;
  const preview = accumulateManagedAgentsEvent(previews.get(id), event);
  if (preview) previews.set(id, preview);
  if (event.type === 'event_delta') assert.ok('Waves come and go'.startsWith(text(preview)));
  if (event.type === 'agent.message') final = text(event);
  if (event.type === 'span.model_request_end') previews.clear();
  if (event.type === 'session.error') assert.fail(event.error.message);
  if (event.type === 'session.status_idle' && event.stop_reason.type === 'end_turn') stream.controller.abort();
}

assert.equal(final, 'Waves come and go');
