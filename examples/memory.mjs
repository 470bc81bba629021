// An agent remembers a preference over two sessions. Needs `npm install @anthropic-ai/sdk`, ANTHROPIC_BASE_URL and
// ANTHROPIC_API_KEY.
import Anthropic from '@anthropic-ai/sdk';

const { beta } = new Anthropic();

const store = await beta.memoryStores.create({
  name: 'Preferences',
  description: 'What this user likes, one file for each subject.',
});
const environment = await beta.environments.create({ name: 'memory' });
const agent = await beta.agents.create({
  name: 'memory',
  model: 'claude-sonnet-5',
  tools: [{ type: 'agent_toolset_20260401' }],
});

/** One turn of a session of its own, which knows nothing of any other but the store. */
async function ask(text) {
  const session = await beta.sessions.create({
    environment_id: environment.id,
    agent: agent.id,
    resources: [
      { type: 'memory_store', memory_store_id: store.id, instructions: 'Keep preferences; look here before you ask.' },
    ],
  });
  console.log(`\n${session.id}, with its memory at ${session.resources[0].mount_path}: ${text}`);
  const stream = await beta.sessions.events.stream(session.id);
  const content = [{ type: 'text', text }];
  await beta.sessions.events.send(session.id, { events: [{ type: 'user.message', content }] });
  for await (const event of stream) {
    if (event.type === 'agent.message') console.log(event.content.map((block) => block.text).join(''));
    if (event.type === 'agent.tool_result') console.log(event.content.map((block) => block.text).join('\n'));
    if (event.type === 'session.status_idle') break;
  }
}

await ask('I write everything in Vim. Keep that: `echo "The user writes in Vim." > /mnt/memory/preferences/editor.md`');
await ask('Which editor do I use? It is in your memory: `cat /mnt/memory/preferences/*`');

console.log('\nWhat the store knows, and from whom:');
for await (const memory of beta.memoryStores.memories.list(store.id, { view: 'full' })) {
  const of = { memory_store_id: store.id };
  const version = await beta.memoryStores.memoryVersions.retrieve(memory.memory_version_id, of);
  console.log(`${memory.path}: ${memory.content.trim()} (${JSON.stringify(version.created_by)})`);
}
