// An agent works on a Git repository: it makes a failing test pass, and pushes a branch. The token stays outside the
// sandbox. Needs `npm install @anthropic-ai/sdk`, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, REPOSITORY_URL and
// REPOSITORY_TOKEN.
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic();
const { REPOSITORY_URL, REPOSITORY_TOKEN, MODEL = 'claude-sonnet-5' } = process.env;

const environment = await client.beta.environments.create({ name: 'repository' });
const agent = await client.beta.agents.create({
  name: 'coder',
  model: MODEL,
  system: 'You fix code. Run the tests before and after you change something.',
  tools: [{ type: 'agent_toolset_20260401' }],
});
const session = await client.beta.sessions.create({
  environment_id: environment.id,
  agent: agent.id,
  resources: [{ type: 'github_repository', url: REPOSITORY_URL, authorization_token: REPOSITORY_TOKEN }],
});

const stream = await client.beta.sessions.events.stream(session.id);
const text = 'A test of this repository fails. Make it pass, and push your change as the branch agent/fix.';
await client.beta.sessions.events.send(session.id, {
  events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
});

const said = (event) => (event.content ?? []).map((block) => block.text ?? '').join('\n');
for await (const event of stream) {
  if (event.type === 'agent.message') console.log(said(event));
  if (event.type === 'agent.tool_use') console.log(`${event.name}: ${JSON.stringify(event.input)}`);
  if (event.type === 'agent.tool_result') console.log(said(event));
  if (event.type === 'session.error') console.log(`${event.error.type}: ${event.error.message}`);
  if (event.type === 'session.status_idle') break;
}
