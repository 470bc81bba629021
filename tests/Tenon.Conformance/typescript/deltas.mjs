import assert from 'node:assert/strict';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { createSession, message, open, send, text, the } from './lab.mjs';

const session = await createSession();
const stream = await open(session, { event_deltas: ['agent.message', 'agent.thinking'] });
await send(session, message('tell'));
const events = await stream.readTo('session.status_idle');
stream.close();

const id = the(events, 'agent.message').id;
const growing = [];
let preview;
for (const event of events) {
  preview = accumulateManagedAgentsEvent(preview, event);
  if (event.type === 'event_delta') {
    assert.equal(event.event_id, id);
    growing.push(text(preview));
  }
}

assert.ok(growing.length > 0);
growing.forEach((part) => assert.ok('Once upon a time'.startsWith(part), part));
assert.equal(text(preview), 'Once upon a time');
assert.equal(events.filter((event) => event.type === 'event_start').length, 1);
