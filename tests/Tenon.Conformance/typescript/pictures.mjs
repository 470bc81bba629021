// Pictures: one that a message names by its file, and one that the agent reads from its sandbox.
import assert from 'node:assert/strict';
import { toFile } from '@anthropic-ai/sdk';
import { client, createSession, open, send, the } from './lab.mjs';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const file = await client.files.upload({ file: await toFile(png, 'a.png', { type: 'image/png' }) });
const session = await createSession([{ type: 'agent_toolset_20260401' }]);
await client.beta.sessions.resources.add(session.id, { type: 'file', file_id: file.id, mount_path: 'a.png' });

const stream = await open(session);
await send(session, {
  type: 'user.message',
  content: [
    { type: 'text', text: 'Is it the one that you have?' },
    { type: 'image', source: { type: 'file', file_id: file.id } },
  ],
});
const turn = await stream.readTo('session.status_idle');
stream.close();

const [said, shown] = the(turn, 'agent.tool_result').content;
assert.equal(said.text, '/uploads/a.png: image/png, 1 x 1 pixels');
assert.equal(shown.type, 'image');
assert.equal(shown.source.type, 'file');
const content = await client.files.download(shown.source.file_id);
assert.deepEqual(Buffer.from(await content.arrayBuffer()), png);
const listed = await client.beta.files.list({ scope_id: session.id, betas: ['managed-agents-2026-04-01'] });
assert.ok(listed.data.every((one) => one.id !== shown.source.file_id));
