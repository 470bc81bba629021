// A coordinator gives two agents work at once: one asks to be allowed, one thinks until it is interrupted.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { accumulateManagedAgentsEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import { client, history, message, model, open, openThread, send, sessionOf, text, the } from './lab.mjs';

const { agents, sessions: { threads } } = client.beta;
const careful = await agents.create({
  name: 'careful', model: process.env.CONFORMANCE_CAREFUL,
  tools: [{ type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } }],
});
const slow = await agents.create({ name: 'slow', model: process.env.CONFORMANCE_SLOW });
const session = await sessionOf(await agents.create({
  name: 'lead', model, multiagent: { type: 'coordinator', agents: [careful.id, slow.id] },
}));
const of = { session_id: session.id };

const stream = await open(session);
await send(session, message('Have it done.'));
const sent = (event) => event.type === 'agent.thread_message_sent';
const begun = await stream.readUntil(
  (read) => read.filter(sent).length === 2 && read.some((event) => event.type === 'agent.tool_use'), 'two threads');
const created = begun.filter((event) => event.type === 'session.thread_created');
assert.deepEqual(created.map((event) => event.agent_name), ['careful', 'slow']);
assert.ok(created.every((event) => event.workflow_run_id === null));
const [carefulId, slowId] = created.map((event) => event.session_thread_id);
assert.deepEqual(begun.filter(sent).map((event) => [event.to_session_thread_id, event.to_agent_name, text(event)]),
  [[carefulId, 'careful', 'Check it.'], [slowId, 'slow', 'Take your time.']]);
const call = the(begun, 'agent.tool_use');
assert.deepEqual([call.session_thread_id, call.evaluated_permission], [carefulId, 'ask']);

assert.ok((await threads.list(session.id, { statuses: ['running'] })).data.some((thread) => thread.id === slowId));
await assert.rejects(threads.archive(slowId, of), Anthropic.BadRequestError);
await send(session, { type: 'user.interrupt', session_thread_id: slowId });
const stopped = await stream.readTo('session.status_idle');
assert.deepEqual(stopped.at(-1).stop_reason, { type: 'requires_action', event_ids: [call.id] });
const idle = stopped.find((event) => event.type === 'session.thread_status_idle' && event.agent_name === 'slow');
assert.equal(idle.stop_reason.type, 'end_turn');

const child = await openThread(session, carefulId, { event_deltas: ['agent.message'] });
await send(session, { type: 'user.tool_confirmation', tool_use_id: call.id, result: 'allow' });
const own = await child.readUntil((read) => read.at(-1).type === 'session.thread_status_idle'
  && read.at(-1).stop_reason.type === 'end_turn', 'the end of the work');
child.close();
assert.match(text(the(own, 'agent.tool_result')), /checked/);
assert.equal(text(the(own, 'agent.thread_message_sent')), 'It is checked.');
const said = own.findIndex((event) => event.type === 'event_start');
assert.ok(said >= 0 && own.some((event) => event.type === 'event_delta'));
const whole = own.slice(said).filter((event) => /^(event_|agent\.message$)/.test(event.type))
  .reduce(accumulateManagedAgentsEvent, undefined);
assert.equal(text(whole), 'It is checked.');

const rest = await stream.readTo('session.status_idle');
stream.close();
assert.equal(rest.at(-1).stop_reason.type, 'end_turn');
assert.equal(rest.find((event) => event.type === 'user.tool_confirmation').session_thread_id, carefulId);
const told = the(rest, 'agent.thread_message_received');
assert.deepEqual([told.from_session_thread_id, told.from_agent_name, text(told)],
  [carefulId, 'careful', 'It is checked.']);
assert.ok((await history(session)).every((event) => event.processed_at));

const all = (await threads.list(session.id)).data;
assert.deepEqual(all.map((thread) => [thread.agent.name, thread.parent_thread_id, thread.status]),
  [['lead', null, 'idle'], ['careful', all[0].id, 'idle'], ['slow', all[0].id, 'idle']]);
const paged = [];
for await (const thread of threads.list(session.id, { limit: 1 })) paged.push(thread.id);
assert.deepEqual(paged, all.map((thread) => thread.id));
const read = await threads.retrieve(carefulId, of);
assert.deepEqual([read.agent.id, read.usage.input_tokens, read.workflow_run_id], [careful.id, 20, null]);
const events = [];
for await (const event of threads.events.list(carefulId, { ...of, limit: 5 })) events.push(event);
assert.deepEqual([events[0].type, events[0].from_session_thread_id, events[0].from_agent_name, text(events[0])],
  ['agent.thread_message_received', all[0].id, undefined, 'Check it.']);
assert.ok(!events.some((event) => event.type === 'session.status_idle'));
const archived = await threads.archive(carefulId, of);
assert.equal(archived.status, 'terminated');
assert.ok(archived.archived_at);
const last = (await history(session)).at(-1);
assert.deepEqual([last.type, last.agent_name], ['session.thread_status_terminated', 'careful']);
