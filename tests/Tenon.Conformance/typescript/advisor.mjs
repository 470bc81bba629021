// The agent consults its advisor: the events of the consultation, and its thread.
import assert from 'node:assert/strict';
import { client, message, model, open, send, sessionOf, text, the } from './lab.mjs';

const advising = process.env.CONFORMANCE_ADVISOR;
const session = await sessionOf(await client.beta.agents.create({
  name: 'lead', model, multiagent: { type: 'coordinator', agents: [{ type: 'advisor', model: advising }] },
}));
const stream = await open(session);
await send(session, message('Fix the bug.'));
const turn = await stream.readTo('session.status_idle');
stream.close();

const told = turn.filter((event) =>
  [event.agent_name, event.from_agent_name].includes('anthropic.advisor'));
assert.deepEqual(told.map((event) => event.type), [
  'session.thread_created', 'session.thread_status_running', 'agent.thread_message_received',
  'session.thread_status_idle', 'session.thread_status_terminated',
]);
assert.equal(text(told[2]), 'Write the test first.');
assert.equal(told[3].stop_reason.type, 'end_turn');
assert.equal(text(the(turn, 'agent.message')), 'I follow it.');
const thread = await client.beta.sessions.threads.retrieve(told[0].session_thread_id, { session_id: session.id });
assert.deepEqual(thread.agent, { type: 'advisor', model: advising });
assert.equal(thread.status, 'terminated');
