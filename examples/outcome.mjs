// An agent works until a grader finds that the outcome is reached. Needs `npm install @anthropic-ai/sdk`,
// ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
import Anthropic, { toFile } from '@anthropic-ai/sdk';

const client = new Anthropic();
const rubric = await client.beta.files.upload({
  file: await toFile(Buffer.from('# Rubric\n- haiku.txt is in the outputs.\n- It has three lines.\n'), 'rubric.md', {
    type: 'text/markdown',
  }),
});
const environment = await client.beta.environments.create({ name: 'poetry' });
const agent = await client.beta.agents.create({
  name: 'poet',
  model: process.env.MODEL ?? 'claude-sonnet-5',
  tools: [{ type: 'agent_toolset_20260401' }],
});
const session = await client.beta.sessions.create({ environment_id: environment.id, agent: agent.id });

const stream = await client.beta.sessions.events.stream(session.id);
await client.beta.sessions.events.send(session.id, {
  events: [{
    type: 'user.define_outcome',
    description: 'Write a haiku about autumn into haiku.txt.',
    rubric: { type: 'file', file_id: rubric.id },
    max_iterations: 3,
  }],
});
for await (const event of stream) {
  if (event.type === 'session.error') console.log(event.error.message);
  if (event.type === 'agent.message') console.log(event.content.map((block) => block.text).join(''));
  if (event.type === 'span.outcome_evaluation_end') {
    console.log(`evaluation ${event.iteration}: ${event.result}. ${event.explanation}`);
  }
  if (event.type === 'session.status_idle') break;
}

const { outcome_evaluations: outcomes } = await client.beta.sessions.retrieve(session.id);
console.log(outcomes.at(-1).result);
for await (const file of client.beta.files.list({ scope_id: session.id })) {
  console.log((await (await client.beta.files.download(file.id)).text()).trim());
}
