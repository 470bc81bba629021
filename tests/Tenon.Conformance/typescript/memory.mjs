// Every operation of memory stores, and an agent that remembers over two sessions. Prints each request that leaves; the
// test compares them with the operations that are said to work.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';
import { message, model, open, send, the } from './lab.mjs';

const { beta } = new Anthropic({
  fetch: (url, init) => {
    console.log(`REQUEST ${init.method.toUpperCase()} ${new URL(url).pathname}`);
    return fetch(url, init);
  },
});
const { memories, memoryVersions } = beta.memoryStores;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const all = async (pages) => {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
};

const store = await beta.memoryStores.create({ name: 'TypeScript', metadata: { a: '1' } });
const of = { memory_store_id: store.id };
assert.deepEqual(await beta.memoryStores.retrieve(store.id), store);
const described = await beta.memoryStores.update(store.id, { description: 'd', metadata: { a: null, b: '2' } });
assert.deepEqual([described.description, described.metadata], ['d', { b: '2' }]);
const since = { 'created_at[gte]': store.created_at };
assert.ok((await all(beta.memoryStores.list({ ...since, limit: 1 }))).some(({ id }) => id === store.id));

const made = await memories.create(store.id, { path: '/a/b.md', content: 'one', view: 'full' });
assert.deepEqual([made.content, made.content_sha256, made.content_size_bytes], ['one', sha256('one'), 3]);
const taken = memories.create(store.id, { path: '/a', content: '' });
await assert.rejects(taken, (error) => error instanceof Anthropic.ConflictError
  && error.error.error.type === 'memory_path_conflict_error' && error.error.error.conflicting_memory_id === made.id);
const precondition = (text) => ({ type: 'content_sha256', content_sha256: sha256(text) });
const stale = memories.update(made.id, { ...of, content: 'two', precondition: precondition('other') });
await assert.rejects(stale, (error) => error.error.error.type === 'memory_precondition_failed_error');
await memories.update(made.id, { ...of, content: 'two', path: '/c', precondition: precondition('one') });
assert.equal((await memories.retrieve(made.id, of)).content, 'two');
await memories.create(store.id, { path: '/d/e', content: '' });
const listed = await all(memories.list(store.id, { depth: 1, limit: 1, view: 'full' }));
assert.deepEqual(listed.map(({ type, path }) => [type, path]), [['memory', '/c'], ['memory_prefix', '/d/']]);
assert.equal((await all(memories.list(store.id, { path_prefix: '/d/' })))[0].path, '/d/e');

const versions = await all(memoryVersions.list(store.id, { memory_id: made.id, limit: 1 }));
assert.deepEqual(versions.map(({ operation }) => operation), ['modified', 'created']);
const past = { memory_store_id: store.id };
assert.equal((await memoryVersions.retrieve(versions[1].id, past)).content, 'one');
assert.equal((await memoryVersions.redact(versions[1].id, past)).content, null);
await assert.rejects(memoryVersions.redact(versions[0].id, past), Anthropic.ConflictError);
const gone = await memories.delete(made.id, { ...of, expected_content_sha256: sha256('two') });
assert.deepEqual(gone, { id: made.id, type: 'memory_deleted' });

// One session keeps what the next one knows.
const environment = await beta.environments.create({ name: 'memory' });
const agent = await beta.agents.create({ name: 'm', model, tools: [{ type: 'agent_toolset_20260401' }] });
const remember = async (text) => {
  const session = await beta.sessions.create({
    environment_id: environment.id,
    agent: agent.id,
    resources: [{ type: 'memory_store', ...of, access: 'read_write', instructions: 'Keep preferences.' }],
  });
  assert.equal(session.resources[0].mount_path, '/mnt/memory/typescript');
  const stream = await open(session);
  await send(session, message(text));
  const turn = await stream.readTo('session.status_idle');
  stream.close();
  return [session, the(turn, 'agent.tool_result').content[0].text];
};
const [first] = await remember('I use Vim.');
const kept = (await all(memories.list(store.id, { path_prefix: '/prefs/', view: 'full' })))[0];
assert.deepEqual([kept.path, kept.content], ['/prefs/editor.md', 'Vim']);
const [version] = await all(memoryVersions.list(store.id, { session_id: first.id }));
assert.deepEqual(version.created_by, { type: 'session_actor', session_id: first.id });
const [second, told] = await remember('Which editor do I use?');
assert.equal(told, 'Vim');
const having = (await all(beta.sessions.list(of))).map(({ id }) => id);
assert.deepEqual(having, [second.id, first.id]);

assert.notEqual((await beta.memoryStores.archive(store.id)).archived_at, null);
await assert.rejects(memories.create(store.id, { path: '/x', content: '' }), Anthropic.BadRequestError);
assert.equal((await beta.memoryStores.delete(store.id)).type, 'memory_store_deleted');
const both = beta.memoryStores.list({ betas: ['managed-agents-2026-04-01'] });
await assert.rejects(both, Anthropic.BadRequestError);
