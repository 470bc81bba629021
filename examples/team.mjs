// A coder mends a failing test, a reviewer looks at it, and a grader decides whether the outcome is reached. Needs
// `npm install @anthropic-ai/sdk`, ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
import Anthropic, { toFile } from '@anthropic-ai/sdk';

const client = new Anthropic();
const model = process.env.MODEL ?? 'claude-sonnet-5';
const tools = [{ type: 'agent_toolset_20260401' }];

const upload = async (name, text) =>
  client.beta.files.upload({ file: await toFile(Buffer.from(text), name, { type: 'text/plain' }) });
const code = await upload('total.py', 'def total(numbers):\n    return sum(numbers[1:])\n');
const test = await upload('test_total.py', 'from total import total\n\nassert total([1, 2, 3]) == 6\nprint("passed")\n');

const coder = await client.beta.agents.create({
  name: 'coder',
  model: process.env.CODER_MODEL ?? model,
  system: 'You mend code in /workspace until its tests pass. Say what you changed.',
  tools,
});
const reviewer = await client.beta.agents.create({
  name: 'reviewer',
  model: process.env.REVIEWER_MODEL ?? model,
  system: 'You review changes in /workspace. You change nothing. Say what is wrong, or that nothing is.',
  tools,
});
const lead = await client.beta.agents.create({
  name: 'lead',
  model,
  system: 'You lead a coder and a reviewer. Have the work done, then reviewed, and have mended what the review finds.',
  tools,
  multiagent: { type: 'coordinator', agents: [coder.id, reviewer.id] },
});

const environment = await client.beta.environments.create({ name: 'team' });
const session = await client.beta.sessions.create({
  environment_id: environment.id,
  agent: lead.id,
  resources: [code, test].map((file) => ({ type: 'file', file_id: file.id, mount_path: file.filename })),
});

const stream = await client.beta.sessions.events.stream(session.id);
await client.beta.sessions.events.send(session.id, {
  events: [
    {
      type: 'user.define_outcome',
      description: 'Make test_total.py pass. Both files are in /mnt/session/uploads; leave the mended total.py in the outputs.',
      rubric: { type: 'text', content: '- total.py in the outputs sums all numbers.\n- The test was not changed.' },
    },
  ],
});
for await (const event of stream) {
  if (event.type === 'session.error') console.log(event.error.message);
  if (event.type === 'agent.thread_message_sent') console.log(`to ${event.to_agent_name}: ${event.content[0].text}`);
  if (event.type === 'agent.thread_message_received') {
    console.log(`from ${event.from_agent_name}: ${event.content[0].text}`);
  }
  if (event.type === 'span.outcome_evaluation_end') console.log(`${event.result}: ${event.explanation}`);
  if (event.type === 'session.status_idle') break;
}

for await (const file of client.beta.files.list({ scope_id: session.id })) {
  if (!file.downloadable) continue;
  console.log((await (await client.beta.files.download(file.id)).text()).trim());
}
