// Every operation on skills, through both faces of the SDK, and the worker's own way of fetching them. Prints each request
// that leaves; the test compares them with the operations that are said to work.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { setupSkills } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import { model } from './lab.mjs';

const client = new Anthropic({
  fetch: (url, init) => {
    console.log(`REQUEST ${init.method.toUpperCase()} ${new URL(url).pathname}`);
    return fetch(url, init);
  },
});
const manifest = (name, description) => `---\nname: ${name}\ndescription: ${description}\n---\n\nRead notes/a.md.\n`;
const files = async (name, description) => [
  await toFile(Buffer.from(manifest(name, description)), `${name}/SKILL.md`),
  await toFile(Buffer.from('#!/bin/sh\necho hi\n'), `${name}/scripts/run.sh`),
];

for (const skills of [client.skills, client.beta.skills]) {
  const skill = await skills.create({ display_name: 'My skill', files: await files('my-skill', 'One.') });
  assert.deepEqual([skill.type, skill.display_name, skill.source], ['skill', 'My skill', { type: 'custom' }]);
  assert.deepEqual(await skills.retrieve(skill.id), skill);
  const of = { skill_id: skill.id };
  const first = await skills.versions.retrieve('latest', of);
  assert.deepEqual([first.id, first.name, first.description], [skill.latest_version_id, 'my-skill', 'One.']);

  const second = await skills.versions.create(skill.id, { files: await files('my-skill', 'Two.') });
  assert.equal((await skills.retrieve(skill.id)).latest_version_id, second.id);
  assert.deepEqual(await skills.versions.retrieve(second.id, of), second);
  const versions = [];
  for await (const version of skills.versions.list(skill.id, { limit: 1 })) versions.push(version.id);
  assert.deepEqual(versions, [second.id, first.id]);

  // Only the beta face has the download.
  const bytes = Buffer.from(await (await client.beta.skills.versions.download(second.id, of)).arrayBuffer());
  assert.equal(bytes.subarray(0, 4).toString('latin1'), 'PK\x03\x04');
  const copy = await skills.create({ files: [await toFile(bytes, 'my-skill.zip', { type: 'application/zip' })] });
  const again = await client.beta.skills.versions.download(copy.latest_version_id, { skill_id: copy.id });
  assert.deepEqual(Buffer.from(await again.arrayBuffer()), bytes);

  assert.deepEqual(await skills.versions.delete(second.id, of), { id: second.id, type: 'skill_version_deleted' });
  await assert.rejects(skills.versions.delete(first.id, of), Anthropic.BadRequestError);
  assert.deepEqual(await skills.delete(skill.id), { id: skill.id, type: 'skill_deleted' });
  await assert.rejects(skills.retrieve(skill.id), Anthropic.NotFoundError);
  await assert.rejects(
    skills.create({ files: [await toFile(Buffer.from('no front matter'), 'x/SKILL.md')] }),
    (error) => error instanceof Anthropic.BadRequestError && /SKILL\.md: must begin with a line ---/.test(error.message),
  );

  const listed = [];
  for await (const one of skills.list({ limit: 3, source: 'anthropic' })) listed.push(one.id);
  assert.deepEqual(listed, ['docx', 'pdf', 'pptx', 'xlsx']);
  const custom = [];
  for await (const one of skills.list({ limit: 1, source: 'custom' })) custom.push(one.id);
  assert.ok(custom.includes(copy.id) && !custom.includes('pdf'));
}

// As the official worker does before it runs a session's tools.
const skill = await client.skills.create({ files: await files('worker-skill', 'For the worker.') });
const environment = await client.beta.environments.create({ name: 'worker', config: { type: 'self_hosted' } });
const agent = await client.beta.agents.create({
  name: 'worker', model, tools: [{ type: 'agent_toolset_20260401' }],
  skills: [{ type: 'custom', skill_id: skill.id, version: 'latest' }, { type: 'anthropic', skill_id: 'pdf' }],
});
assert.equal(agent.skills[0].version, skill.latest_version_id);
const session = await client.beta.sessions.create({ environment_id: environment.id, agent: agent.id });
const workdir = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-skills-'));
const cleanup = await setupSkills({ client, session, workdir });
const read = (...parts) => fs.readFileSync(path.join(workdir, 'skills', ...parts), 'utf8');
assert.equal(read('worker-skill', 'SKILL.md'), manifest('worker-skill', 'For the worker.'));
assert.equal(fs.statSync(path.join(workdir, 'skills', 'worker-skill', 'scripts', 'run.sh')).mode & 0o777, 0o755);
assert.ok(read('pdf', 'SKILL.md').startsWith('---\nname: pdf\n'));
assert.ok(read('pdf', 'scripts', 'create.py').startsWith('#!/usr/bin/env python3\n'));
await cleanup();
assert.deepEqual(fs.readdirSync(path.join(workdir, 'skills')), []);
fs.rmSync(workdir, { recursive: true });
