// Sends first and opens the stream after, as the official quickstart does.
import assert from 'node:assert/strict';
import { client, createSession, history, message, send, text, the } from './lab.mjs';

const session = await createSession();
assert.equal(session.status, 'idle');
const sent = await send(session, message('hi'));
const seen = [];
for await (const event of await client.beta.sessions.events.stream(session.id)) {
  seen.push(event);
  if (event.type === 'session.status_idle') break;
}

assert.equal(seen[0].id, sent.data[0].id);
assert.equal(text(the(seen, 'agent.message')), 'Hello');
assert.equal(seen.at(-1).stop_reason.type, 'end_turn');
assert.deepEqual(seen, await history(session));
