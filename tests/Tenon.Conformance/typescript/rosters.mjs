// Agents with a roster in both forms, and what their sessions have of it.
import assert from 'node:assert/strict';
import { client, model, sessionOf } from './lab.mjs';

const { agents } = client.beta;
const member = await agents.create({ name: 'member', model, system: 'You are member.' });
const reference = (agent, version) => ({ type: 'agent', id: agent.id, version });
const on = { type: 'enabled' };
const off = { type: 'disabled' };

const lead = await agents.create({
  name: 'lead', model,
  multiagent: {
    type: 'coordinator',
    agents: [{ type: 'advisor', model }, { type: 'agent', id: member.id }, { type: 'self' }],
  },
});
assert.deepEqual(lead.multiagent, {
  type: 'coordinator', agents: [reference(member, 1), reference(lead, 1), { type: 'advisor', model }],
});
const renamed = await agents.update(lead.id, { version: 1, name: 'leader' });
assert.deepEqual(renamed.multiagent.agents[1], reference(lead, 2));
assert.deepEqual(await agents.retrieve(lead.id), renamed);

const { multiagent: spelled } = (await sessionOf(lead)).agent;
assert.equal(spelled.type, 'coordinator');
assert.deepEqual(spelled.agents.map((agent) => agent.name), ['member', 'leader', undefined]);
assert.deepEqual(Object.keys(spelled.agents[0]).sort(), [
  'description', 'execution_identity', 'id', 'mcp_servers', 'model', 'name', 'skills', 'system', 'tools', 'type',
  'version',
]);
assert.equal(spelled.agents[0].system, 'You are member.');
assert.deepEqual(spelled.agents[2], { type: 'advisor', model });

const replaced = await agents.update(lead.id, {
  version: 2, multiagent: { type: 'coordinator', agents: [member.id] },
});
assert.deepEqual(replaced.multiagent.agents, [reference(member, 1)]);
assert.equal((await agents.update(lead.id, { version: 3, multiagent: null })).multiagent, null);

const plain = await agents.create({ name: 'plain', model, multiagent: { type: 'multiagent_20261001' } });
const anyone = { type: 'enabled', inline_agents: on, predefined_agents: [] };
assert.deepEqual(plain.multiagent, {
  type: 'multiagent_20261001', subagents: anyone, workflows: anyone, advisor: off,
});
const planner = await agents.create({
  name: 'planner', model,
  multiagent: {
    type: 'multiagent_20261001',
    subagents: { type: 'enabled', inline_agents: off, predefined_agents: [member.id] },
    workflows: { type: 'enabled', predefined_agents: [{ type: 'self' }] },
    advisor: { type: 'enabled', model },
  },
});
const merged = await agents.update(planner.id, {
  version: 1, multiagent: { type: 'multiagent_20261001', workflows: off, advisor: null },
});
assert.deepEqual(merged.multiagent, {
  type: 'multiagent_20261001',
  subagents: { type: 'enabled', inline_agents: off, predefined_agents: [reference(member, 1)] },
  workflows: off,
  advisor: off,
});
assert.deepEqual(await agents.retrieve(planner.id), merged);
const session = await sessionOf(planner);
const { subagents, workflows, advisor } = session.agent.multiagent;
assert.equal(subagents.predefined_agents[0].system, 'You are member.');
assert.deepEqual([subagents.inline_agents, workflows, advisor], [off, off, off]);
assert.deepEqual((await client.beta.sessions.retrieve(session.id)).agent.multiagent, session.agent.multiagent);
