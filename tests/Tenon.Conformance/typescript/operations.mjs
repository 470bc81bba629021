// Every operation of agents, environments, sessions, events and threads. Prints each request that leaves; the test
// compares them with the operations that are said to work.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { message, model, printing } from './lab.mjs';

const { beta } = printing();
const ids = (page) => page.data.map((item) => item.id);

const environment = await beta.environments.create({ name: 'operations' });
const described = await beta.environments.update(environment.id, { description: 'd' });
assert.deepEqual(await beta.environments.retrieve(environment.id), described);
assert.ok(ids(await beta.environments.list({ limit: 100 })).includes(environment.id));

const agent = await beta.agents.create({ name: 'first', model, system: 'One.' });
const renamed = await beta.agents.update(agent.id, { version: 1, name: 'second' });
assert.equal(renamed.version, 2);
assert.deepEqual(await beta.agents.retrieve(agent.id, { version: 1 }), agent);
assert.deepEqual((await beta.agents.versions.list(agent.id)).data, [renamed, agent]);
assert.ok(ids(await beta.agents.list({ limit: 100 })).includes(agent.id));

const create = (selection, more = {}) =>
  beta.sessions.create({ environment_id: environment.id, agent: selection, ...more });
const newest = await create(agent.id, { title: 'newest', metadata: { kept: '1', gone: '2' } });
assert.equal(newest.agent.version, 2);
const pinned = await create({ type: 'agent', id: agent.id, version: 1 });
assert.equal(pinned.agent.name, 'first');
const overridden = await create({ type: 'agent_with_overrides', id: agent.id, system: 'Two.' });
assert.equal(overridden.agent.system, 'Two.');
const all = [newest, pinned, overridden].map((session) => session.id);
assert.deepEqual(ids(await beta.sessions.list({ agent_id: agent.id, order: 'asc' })), all);
assert.deepEqual(ids(await beta.sessions.list({ agent_id: agent.id, agent_version: 1 })), [pinned.id]);
assert.deepEqual(ids(await beta.sessions.list({ agent_id: agent.id, statuses: ['running'] })), []);
assert.deepEqual(
  ids(await beta.sessions.list({ agent_id: agent.id, 'created_at[gt]': newest.created_at, order: 'asc' })),
  all.slice(1),
);
const first = await beta.sessions.list({ agent_id: agent.id, limit: 2 });
const second = await first.getNextPage();
const back = await beta.sessions.list({ agent_id: agent.id, limit: 2, page: second.prev_page });
assert.deepEqual([ids(first), ids(second), ids(back)], [[all[2], all[1]], [all[0]], [all[2], all[1]]]);

const updated = await beta.sessions.update(newest.id, {
  title: 'changed', metadata: { gone: null }, agent: { tools: [{ type: 'agent_toolset_20260401' }] },
});
assert.deepEqual([updated.title, updated.metadata, updated.agent.tools.length], ['changed', { kept: '1' }, 1]);
assert.equal((await beta.sessions.retrieve(newest.id)).title, 'changed');

const priced = await beta.agents.create({ name: 'priced', model: 'claude-sonnet-5' });
const cents = (amount) => ({ type: 'limit', max_list_cost: { amount, currency: 'USD' } });
const limited = await create(priced.id, { budget: cents('100') });
assert.deepEqual((await beta.sessions.update(limited.id, { budget: cents('200') })).budget, cents('200'));
assert.equal((await beta.sessions.update(limited.id, { budget: null })).budget, null);

const threads = (await beta.sessions.threads.list(pinned.id, { statuses: ['idle'], limit: 1 })).data;
const of = { session_id: pinned.id };
assert.deepEqual(await beta.sessions.threads.retrieve(threads[0].id, of), threads[0]);
const whole = await beta.sessions.events.stream(pinned.id);
const deltas = await beta.sessions.threads.events.stream(threads[0].id, { ...of, event_deltas: ['agent.message'] });
await beta.sessions.events.send(pinned.id, { events: [message('hi')] });
const read = async (stream) => {
  const types = [];
  for await (const event of stream) {
    types.push(event.type);
    if (event.type === 'session.status_idle') return types;
  }
};
const seen = await read(deltas);
assert.ok(seen.includes('event_delta'));
const listed = (await beta.sessions.events.list(pinned.id)).data;
assert.deepEqual(await read(whole), listed.map((event) => event.type));
assert.deepEqual((await beta.sessions.threads.events.list(threads[0].id, of)).data, listed);

await assert.rejects(beta.sessions.threads.archive(threads[0].id, of), Anthropic.BadRequestError);
assert.equal((await beta.sessions.archive(pinned.id)).status, 'terminated');
assert.equal((await beta.sessions.threads.archive(threads[0].id, of)).status, 'terminated');
assert.equal((await beta.sessions.delete(newest.id)).type, 'session_deleted');
assert.notEqual((await beta.agents.archive(agent.id)).archived_at, null);
assert.notEqual((await beta.environments.archive(environment.id)).archived_at, null);
assert.equal((await beta.environments.delete(environment.id)).type, 'environment_deleted');
