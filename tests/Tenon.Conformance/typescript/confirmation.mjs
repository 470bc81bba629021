import assert from 'node:assert/strict';
import { createSession, message, open, send, text, the } from './lab.mjs';

const session = await createSession([
  { type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } },
]);
const stream = await open(session);
await send(session, message('run both'));

const first = the(await stream.readTo('session.status_idle'), 'agent.tool_use');
assert.equal(first.evaluated_permission, 'ask');
await send(session, { type: 'user.tool_confirmation', tool_use_id: first.id, result: 'allow' });
const allowed = await stream.readTo('session.status_idle');
assert.match(text(the(allowed, 'agent.tool_result')), /first ran/);

const second = the(allowed, 'agent.tool_use');
await send(session, {
  type: 'user.tool_confirmation', tool_use_id: second.id, result: 'deny', deny_message: 'enough',
});
const denied = await stream.readTo('session.status_idle');
stream.close();
const result = the(denied, 'agent.tool_result');
assert.equal(result.is_error, true);
assert.match(text(result), /enough/);
assert.equal(denied.at(-1).stop_reason.type, 'end_turn');
