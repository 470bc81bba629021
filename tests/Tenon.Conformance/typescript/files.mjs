// Every operation on files, and what an agent leaves in its outputs.
import assert from 'node:assert/strict';
import { toFile } from '@anthropic-ai/sdk';
import Anthropic from '@anthropic-ai/sdk';
import { client, createSession, message, open, send } from './lab.mjs';

const upload = async (name, content, more = {}) =>
  client.files.upload({ file: await toFile(Buffer.from(content), name, { type: 'text/plain' }), ...more });
const made = [];
for (let i = 0; i < 5; i++) made.unshift((await upload(`list-${i}.txt`, `${i}`)).id);

const listed = [];
for await (const file of client.files.list({ limit: 2 })) {
  listed.push(file.id);
  if (file.id === made.at(-1)) break;
}
assert.deepEqual(listed.filter((id) => made.includes(id)), made);
const named = await client.files.list({ ids: [made[3], 'file_none', made[0]] });
assert.deepEqual(named.data.map((file) => file.id), [made[0], made[3]]);
assert.equal((await client.files.retrieveMetadata(made[0])).filename, 'list-4.txt');

const expiring = await upload('soon.txt', 'x', { expires_in_seconds: 3600 });
assert.ok(new Date(expiring.expires_at) > new Date());
await assert.rejects(client.files.download(made[0]), (error) => error instanceof Anthropic.BadRequestError
  && error.error.error.details.error_code === 'file_not_downloadable');
assert.deepEqual(await client.files.delete(made[0]), { id: made[0], type: 'file_deleted' });
await assert.rejects(client.files.retrieveMetadata(made[0]), Anthropic.NotFoundError);

const session = await createSession([{ type: 'agent_toolset_20260401' }]);
const resource = await client.beta.sessions.resources.add(session.id, { type: 'file', file_id: made[1] });
assert.equal(resource.mount_path, `/mnt/session/uploads/${made[1]}`);
const read = await client.beta.sessions.resources.retrieve(resource.id, { session_id: session.id });
assert.deepEqual(read, resource);
await assert.rejects(
  client.beta.sessions.resources.update(resource.id, { session_id: session.id, authorization_token: 't' }),
  Anthropic.BadRequestError,
);
const removed = await client.beta.sessions.resources.delete(resource.id, { session_id: session.id });
assert.deepEqual(removed, { id: resource.id, type: 'session_resource_deleted' });

const stream = await open(session);
await send(session, message('Write the report.'));
await stream.readTo('session.status_idle');
stream.close();
const outputs = await client.beta.files.list({ scope_id: session.id, betas: ['managed-agents-2026-04-01'] });
assert.deepEqual(outputs.data.map((file) => file.filename), ['report.txt']);
assert.deepEqual(outputs.data[0].scope, { type: 'session', id: session.id });
const content = await client.files.download(outputs.data[0].id);
assert.equal(content.headers.get('content-length'), '7');
assert.equal(await content.text(), 'report\n');
await client.beta.sessions.delete(session.id);
await assert.rejects(client.files.download(outputs.data[0].id), Anthropic.NotFoundError);
