// The SDK's runner of tools beside a person who allows one call and denies the other.
import assert from 'node:assert/strict';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { client, createSession, history, message, send, the } from './lab.mjs';

const session = await createSession(
  [{ type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } }],
  { type: 'self_hosted' },
);
const commands = [];
const bash = betaTool({
  name: 'bash',
  description: 'Runs a command.',
  inputSchema: { type: 'object', properties: { command: { type: 'string' } } },
  run: ({ command }) => `${commands.push(command)} commands so far`,
});

const verdicts = ['allow', 'deny'];
const watch = await client.beta.sessions.events.stream(session.id);
const person = (async () => {
  for await (const event of watch) {
    if (event.type === 'agent.tool_use') {
      await send(session, { type: 'user.tool_confirmation', tool_use_id: event.id, result: verdicts.shift() });
    }
    if (event.type === 'session.status_idle' && event.stop_reason.type === 'end_turn') return;
  }
})();
await send(session, message('Run both.'));
const calls = [];
for await (const call of client.beta.sessions.events.toolRunner(session.id, { tools: [bash], maxIdleMs: 200 })) {
  calls.push([call.confirmation, call.posted, call.isError]);
}
await person;

assert.deepEqual(commands, ['first']);
assert.deepEqual(calls, [['allow', true, false], ['deny', false, false]]);
const events = await history(session);
assert.equal(the(events, 'user.tool_result').content[0].text, '1 commands so far');
assert.equal(the(events, 'agent.tool_result').is_error, true);
