// An agent uses a secret that it never sees: in its sandbox there is a placeholder, which becomes the secret on the way
// to the secret's own host. Needs `npm install @anthropic-ai/sdk`, ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic();
const { MODEL = 'claude-sonnet-5' } = process.env;

const vault = await client.beta.vaults.create({ display_name: 'Alice' });
await client.beta.vaults.credentials.create(vault.id, {
  auth: {
    type: 'environment_variable',
    secret_name: 'NOTES_KEY',
    secret_value: 'the-real-key-of-alice',
    networking: { type: 'limited', allowed_hosts: ['api.example.com'] },
    injection_location: { header: true },
  },
});
const environment = await client.beta.environments.create({ name: 'vault' });
const agent = await client.beta.agents.create({
  name: 'note taker',
  model: MODEL,
  tools: [{ type: 'agent_toolset_20260401' }],
});
const session = await client.beta.sessions.create({
  environment_id: environment.id, agent: agent.id, vault_ids: [vault.id],
});

const stream = await client.beta.sessions.events.stream(session.id);
const text = 'Run `echo $NOTES_KEY` and tell me what it says.';
await client.beta.sessions.events.send(session.id, {
  events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
});
for await (const event of stream) {
  if (event.type === 'agent.tool_result') console.log(event.content.map((block) => block.text).join(''));
  if (event.type === 'session.status_idle') break;
}
