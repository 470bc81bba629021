// A fork of a session: made with the client's own request, then used as any session is.
import assert from 'node:assert/strict';
import { client, createSession, history, message, open, send, text, the } from './lab.mjs';

const session = await createSession([{ type: 'agent_toolset_20260401' }]);
const first = await open(session);
await send(session, message('Keep a note.'));
await first.readTo('session.status_idle');
first.close();
const told = await history(session);

const fork = await client.post(`/v1/sessions/${session.id}/fork`, { body: { title: 'the other way' } });

assert.notEqual(fork.id, session.id);
assert.equal(fork.title, 'the other way');
assert.deepEqual((await history(fork)).map((event) => event.id), told.map((event) => event.id));
const second = await open(fork);
await send(fork, message('What does the note say?'));
const turn = await second.readTo('session.status_idle');
second.close();
assert.equal(the(turn, 'agent.tool_result').content[0].text, 'of the first');
assert.equal(text(the(turn, 'agent.message')), 'It is there.');
assert.equal((await history(session)).length, told.length);

const refused = client.post(`/v1/sessions/${session.id}/fork`, { body: { event_id: 'sevt_none' } });
await assert.rejects(refused, (error) => error.status === 400 && error.message.includes('event_id'));
