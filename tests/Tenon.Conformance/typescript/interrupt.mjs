import assert from 'node:assert/strict';
import { client, createSession, history, message, open, send, text, the } from './lab.mjs';

const session = await createSession();
const stream = await open(session, { event_deltas: ['agent.message'] });
await send(session, message('go'));
await stream.readTo('event_delta');

await send(session, { type: 'user.interrupt' });
const stopped = await stream.readTo('session.status_idle');
assert.equal(stopped.at(-1).stop_reason.type, 'end_turn');
assert.equal(stopped.filter((event) => event.type === 'agent.message').length, 0);
assert.equal((await client.beta.sessions.retrieve(session.id)).status, 'idle');

await send(session, message('go on'));
const next = await stream.readTo('session.status_idle');
stream.close();
assert.equal(text(the(next, 'agent.message')), 'Going on');
assert.equal((await history(session)).filter((event) => event.type === 'user.interrupt').length, 1);
