import assert from 'node:assert/strict';
import { createSession, message, open, send, text, the } from './lab.mjs';

const session = await createSession([
  {
    type: 'custom',
    name: 'get_weather',
    description: 'The temperature of a city in degrees Celsius.',
    input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
]);
const stream = await open(session);
await send(session, message('How warm is Oslo?'));
const asked = await stream.readTo('session.status_idle');
const use = the(asked, 'agent.custom_tool_use');
assert.deepEqual(use.input, { city: 'Oslo' });
assert.deepEqual(asked.at(-1).stop_reason, { type: 'requires_action', event_ids: [use.id] });

await send(session, {
  type: 'user.custom_tool_result',
  custom_tool_use_id: use.id,
  content: [{ type: 'text', text: '14' }],
});
const answered = await stream.readTo('session.status_idle');
stream.close();
assert.equal(text(the(answered, 'agent.message')), 'It is 14 degrees.');
assert.equal(answered.at(-1).stop_reason.type, 'end_turn');
