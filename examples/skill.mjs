// Uploads a skill with a script, gives it to an agent, and lets the agent use it. Needs `npm install @anthropic-ai/sdk`,
// ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
import Anthropic, { toFile } from '@anthropic-ai/sdk';

const client = new Anthropic();

const manifest = `---
name: greeting
description: Greets people in the style of the house. Use it whenever somebody is to be greeted.
---

Run \`scripts/greet.sh NAME\` and answer with what it prints.
`;
const skill = await client.skills.create({
  files: [
    await toFile(Buffer.from(manifest), 'greeting/SKILL.md'),
    await toFile(Buffer.from('#!/bin/sh\necho "Good day to you, $1!"\n'), 'greeting/scripts/greet.sh'),
  ],
});
console.log(`uploaded ${skill.display_name}`);

const environment = await client.beta.environments.create({ name: 'skill' });
const agent = await client.beta.agents.create({
  name: 'greeter',
  model: 'claude-sonnet-5',
  tools: [{ type: 'agent_toolset_20260401' }],
  skills: [{ type: 'custom', skill_id: skill.id }, { type: 'anthropic', skill_id: 'docx' }],
});
const session = await client.beta.sessions.create({ environment_id: environment.id, agent: agent.id });

const folder = '/mnt/skills/greeting';
const text = `Greet Ada: run \`cat ${folder}/SKILL.md && ${folder}/scripts/greet.sh Ada\` and say what it prints.`;
await client.beta.sessions.events.send(session.id, {
  events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
});

for await (const event of await client.beta.sessions.events.stream(session.id)) {
  if (event.type === 'agent.message') console.log(event.content.map((block) => block.text).join(''));
  if (event.type === 'session.status_idle') break;
}

// The session keeps the version that it began with, whatever becomes of the skill.
await client.skills.delete(skill.id);
