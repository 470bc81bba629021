// A repository as a session's resource. The agent has no tools, so that nothing is cloned here.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { client, model } from './lab.mjs';

const { resources } = client.beta.sessions;
const environment = await client.beta.environments.create({ name: 'repositories' });
const agent = await client.beta.agents.create({ name: 'repositories', model });
const session = await client.beta.sessions.create({
  environment_id: environment.id,
  agent: agent.id,
  resources: [{
    type: 'github_repository',
    url: 'https://github.com/example/project',
    authorization_token: 'token-of-the-first-day',
    checkout: { type: 'branch', name: 'main' },
  }],
});
const [attached] = session.resources;
assert.deepEqual(
  [attached.type, attached.url, attached.mount_path, attached.checkout],
  ['github_repository', 'https://github.com/example/project', '/workspace/project', { type: 'branch', name: 'main' }],
);
assert.ok(!JSON.stringify(session).includes('token-of'));

const at = { session_id: session.id };
assert.deepEqual((await resources.list(session.id)).data, [attached]);
assert.deepEqual(await resources.retrieve(attached.id, at), attached);
const updated = await resources.update(attached.id, { ...at, authorization_token: 'token-of-the-second-day' });
assert.deepEqual({ ...updated, updated_at: attached.updated_at }, attached);
assert.ok(updated.updated_at > attached.updated_at);
await assert.rejects(resources.delete(attached.id, at), Anthropic.BadRequestError);
