// A workflow run with two phases: its first agent waits for the client, its second one the plan makes up.
import assert from 'node:assert/strict';
import { client, history, message, model, open, send, sessionOf, the } from './lab.mjs';

const worker = await client.beta.agents.create({
  name: 'worker', model: process.env.CONFORMANCE_WORKER,
  tools: [{ type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } }],
});
const session = await sessionOf(await client.beta.agents.create({
  name: 'planner', model,
  multiagent: {
    type: 'multiagent_20261001',
    subagents: { type: 'disabled' },
    workflows: { type: 'enabled', predefined_agents: [worker.id] },
  },
}));
const stream = await open(session);
await send(session, message('go'));
const asked = await stream.readTo('session.status_idle');
assert.equal(asked.at(-1).stop_reason.type, 'requires_action');
const call = the(asked, 'agent.tool_use');
await send(session, { type: 'user.tool_confirmation', tool_use_id: call.id, result: 'allow' });
await stream.readTo('session.status_idle');

const events = await history(session);
const of = (type) => events.filter((event) => event.type === `workflow_run.${type}`);
assert.deepEqual(
  events.map((event) => event.type).filter((type) => type.startsWith('workflow_run.')),
  ['created', 'status_running', 'phase_started', 'status_idle', 'status_running', 'phase_ended', 'phase_started',
    'phase_ended', 'status_ended'].map((type) => `workflow_run.${type}`),
);
const [created] = of('created');
assert.deepEqual([created.name, created.description], ['adding', null]);
assert.deepEqual(created.phases.map((phase) => [phase.name, phase.description]), [['look', 'Looks.'], ['sum', null]]);
assert.deepEqual(of('phase_started').map((event) => event.workflow_run_phase_id),
  created.phases.map((phase) => phase.id));
assert.deepEqual(
  of('phase_ended').map((event) => event.phase_started_id), of('phase_started').map((event) => event.id));
assert.deepEqual(of('status_ended')[0].result, { type: 'completed' });
const threads = (await client.beta.sessions.threads.list(session.id)).data;
assert.deepEqual(threads.map((thread) => [thread.agent.type, thread.workflow_run_id]), [
  ['agent', null], ['agent', created.workflow_run_id], ['inline', created.workflow_run_id],
]);
assert.deepEqual(Object.keys(threads[2].agent).sort(), [
  'description', 'execution_identity', 'mcp_servers', 'model', 'name', 'skills', 'system', 'tools', 'type',
]);

// The next plan fails.
await send(session, message('again'));
const failed = await stream.readTo('session.status_idle');
stream.close();
const { error } = the(failed, 'workflow_run.error');
assert.equal(error.type, 'program_error');
assert.deepEqual(the(failed, 'workflow_run.status_ended').result, { type: 'error', error });
