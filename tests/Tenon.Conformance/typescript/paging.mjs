import assert from 'node:assert/strict';
import { client, createSession, history, message, model, open, send } from './lab.mjs';

const environment = await client.beta.environments.create({ name: 'paging' });
const agent = await client.beta.agents.create({ name: 'paging', model });
const made = [];
for (let i = 0; i < 5; i++) {
  made.push((await client.beta.sessions.create({ environment_id: environment.id, agent: agent.id })).id);
}

const listed = [];
for await (const session of client.beta.sessions.list({ agent_id: agent.id, limit: 2 })) listed.push(session.id);
assert.deepEqual(listed, made.toReversed());

const second = await (await client.beta.sessions.list({ agent_id: agent.id, limit: 2 })).getNextPage();
assert.deepEqual(second.data.map((session) => session.id), made.toReversed().slice(2, 4));
assert.equal(typeof second.prev_page, 'string');

for (let version = 1; version <= 3; version++) {
  await client.beta.agents.update(agent.id, { version, name: `paging ${version + 1}` });
}

const versions = [];
for await (const { version } of client.beta.agents.versions.list(agent.id, { limit: 3 })) versions.push(version);
assert.deepEqual(versions, [4, 3, 2, 1]);

const session = await createSession();
const stream = await open(session);
await send(session, message('hi'));
await stream.readTo('session.status_idle');
stream.close();
const pages = [];
for await (const event of client.beta.sessions.events.list(session.id, { limit: 4, order: 'desc' })) pages.push(event);
assert.deepEqual(pages, (await history(session)).toReversed());
const messages = await client.beta.sessions.events.list(session.id, { types: ['user.message', 'agent.message'] });
assert.deepEqual(messages.data.map((event) => event.type), ['user.message', 'agent.message']);

const models = [];
for await (const { id } of client.beta.models.list({ limit: 2 })) models.push(id);
assert.equal(new Set(models).size, models.length);
assert.equal((await client.beta.models.retrieve(models[0])).id, models[0]);
