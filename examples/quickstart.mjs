// An agent runs a command in its sandbox. Needs `npm install @anthropic-ai/sdk`, ANTHROPIC_BASE_URL and
// ANTHROPIC_API_KEY.
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic();

const environment = await client.beta.environments.create({ name: 'quickstart' });
const agent = await client.beta.agents.create({
  name: 'quickstart',
  model: 'claude-sonnet-5',
  tools: [{ type: 'agent_toolset_20260401' }],
});
const session = await client.beta.sessions.create({ environment_id: environment.id, agent: agent.id });

const text = 'Run `echo hello from the sandbox` and tell me what it says.';
await client.beta.sessions.events.send(session.id, {
  events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
});

for await (const event of await client.beta.sessions.events.stream(session.id)) {
  if (event.type === 'agent.message') console.log(event.content.map((block) => block.text).join(''));
  if (event.type === 'agent.tool_use') console.log(`${event.name}: ${JSON.stringify(event.input)}`);
  if (event.type === 'session.status_idle') break;
}
