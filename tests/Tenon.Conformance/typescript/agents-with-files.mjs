// An agent reads a file that was uploaded and mounted: the calls of the official example, in its order.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { client, model, text, the } from './lab.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-files-'));
const data = path.join(folder, 'data.csv');
fs.writeFileSync(data, 'name,score\nAda,95\nAlan,93\n');

const environment = await client.beta.environments.create({ name: 'files' });
const agent = await client.beta.agents.create({
  name: 'files',
  model,
  tools: [
    {
      type: 'agent_toolset_20260401',
      default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    },
  ],
});
const file = await client.files.upload({ file: fs.createReadStream(data) });
assert.equal(file.filename, 'data.csv');
assert.equal(file.mime_type, 'text/csv');
assert.equal(file.size_bytes, 26);

const session = await client.beta.sessions.create({
  environment_id: environment.id,
  agent: { type: 'agent', id: agent.id, version: agent.version },
  resources: [{ type: 'file', file_id: file.id, mount_path: 'data.csv' }],
});
const resources = await client.beta.sessions.resources.list(session.id);
assert.deepEqual(resources.data, session.resources);
assert.equal(resources.data[0].mount_path, '/mnt/session/uploads/data.csv');
assert.notEqual(resources.data[0].file_id, file.id);

await client.beta.sessions.events.send(session.id, {
  events: [
    {
      type: 'user.message',
      content: [{ type: 'text', text: 'Read /uploads/data.csv and tell me the column names.' }],
    },
  ],
});
const events = [];
for await (const event of await client.beta.sessions.events.stream(session.id)) {
  events.push(event);
  if (event.type === 'session.status_idle') break;
}

assert.match(text(the(events, 'agent.tool_result')), /^name,score\n/);
assert.equal(text(the(events, 'agent.message')), 'The columns are name and score.');
fs.rmSync(folder, { recursive: true });
