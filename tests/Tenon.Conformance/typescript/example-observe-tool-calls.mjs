// The calls of the SDK's example that watches each call it answers, in a self_hosted environment, with its own tools.
import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { betaAgentToolset20260401, setupSkills } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import { client, message, model } from './lab.mjs';

const betas = ['managed-agents-2026-04-01'];
const inputSchema = { type: 'object', properties: {} };
const currentTime = betaTool({
  name: 'current_time', description: 'The time.', inputSchema, run: () => new Date().toISOString(),
});
const environment = await client.beta.environments.create({ name: 'ours', config: { type: 'self_hosted' } });
const workdir = await realpath(await mkdtemp(join(tmpdir(), 'conformance-')));

const agent = await client.beta.agents.create({
  name: 'observed',
  model,
  system: 'Use the tools.',
  tools: [
    { type: 'agent_toolset_20260401' },
    { type: 'custom', name: currentTime.name, description: 'The time.', input_schema: inputSchema },
  ],
});
const session = await client.beta.sessions.create({
  agent: agent.id, environment_id: environment.id, title: 'observed', betas,
});
const context = { workdir, client, session };
const cleanupSkills = await setupSkills(context);
const calls = new Map();
try {
  await client.beta.sessions.events.send(session.id, { events: [message('What time is it, and where?')], betas });
  for await (const call of client.beta.sessions.events.toolRunner(session.id, {
    tools: [...betaAgentToolset20260401(context), currentTime],
    maxIdleMs: 200,
    signal: AbortSignal.timeout(60_000),
  })) {
    assert.deepEqual([call.posted, call.isError], [true, false]);
    calls.set(call.name, call.result.content[0].text);
  }
} finally {
  await cleanupSkills();
  await client.beta.sessions.delete(session.id, { betas });
  await client.beta.agents.archive(agent.id);
  await rm(workdir, { recursive: true });
}

assert.deepEqual([...calls.keys()].sort(), ['bash', 'current_time']);
assert.equal(calls.get('bash').trim(), workdir);
assert.match(calls.get('current_time'), /^\d{4}-/);
await assert.rejects(client.beta.sessions.retrieve(session.id), Anthropic.NotFoundError);
assert.notEqual((await client.beta.agents.retrieve(agent.id)).archived_at, null);
