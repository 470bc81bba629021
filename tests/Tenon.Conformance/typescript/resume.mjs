// Drops the stream in the middle of a turn, opens another, lists what was missed, and skips what it has seen.
import assert from 'node:assert/strict';
import { createSession, history, message, open, send, text, the } from './lab.mjs';

const session = await createSession();
const dropped = await open(session, { event_deltas: ['agent.message'] });
await send(session, message('go'));
await dropped.readTo('event_delta');
dropped.close();

const reopened = await open(session);
const listed = await history(session);
assert.equal(listed.at(-1).type, 'span.model_request_start');
await send(session, { type: 'user.interrupt' }, message('go on'));
const tail = await reopened.readTo('session.status_idle');
reopened.close();

const known = new Set(listed.map((event) => event.id));
const followed = [...listed];
for (const event of tail) {
  if (!known.has(event.id)) followed.push(event);
  known.add(event.id);
}

const ids = (events) => events.map((event) => event.id).sort();
assert.deepEqual(ids(followed), ids(await history(session)));
assert.equal(text(the(followed, 'agent.message')), 'Going on');
