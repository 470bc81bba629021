import assert from 'node:assert/strict';
import { toFile } from '@anthropic-ai/sdk';
import { client, createSession, open, send, text, the } from './lab.mjs';

const file = await client.beta.files.upload({
  file: await toFile(Buffer.from('- poem.txt rhymes.\n'), 'rubric.md', { type: 'text/markdown' }),
});
const session = await createSession([{ type: 'agent_toolset_20260401' }]);
const outcome = (rubric) => ({ type: 'user.define_outcome', description: 'Write poem.txt.', rubric, max_iterations: 2 });

const stream = await open(session);
const sent = await send(session, outcome({ type: 'file', file_id: file.id }));
const defined = sent.data[0];
assert.match(defined.outcome_id, /^outc_/);
assert.ok(defined.processed_at);
assert.deepEqual(defined.rubric, { type: 'text', content: '- poem.txt rhymes.\n' });
const events = await stream.readTo('session.status_idle');
const ends = events.filter((event) => event.type === 'span.outcome_evaluation_end');
assert.deepEqual(ends.map((end) => [end.iteration, end.result]), [[0, 'needs_revision'], [1, 'satisfied']]);
assert.deepEqual(
  events.filter((event) => event.type === 'span.outcome_evaluation_start').map((start) => start.id),
  ends.map((end) => end.outcome_evaluation_start_id),
);
assert.equal(events.filter((event) => event.type === 'agent.tool_use').length, 2);
assert.ok(ends.every((end) => end.usage.input_tokens > 0));

// The next one may begin now, and an interrupt ends it before any evaluation.
await send(session, outcome({ type: 'text', content: 'It is long.' }));
await stream.readTo('span.model_request_start');
await assert.rejects(send(session, outcome({ type: 'text', content: 'x' })), (error) => error.status === 400);
await send(session, { type: 'user.interrupt' });
const stopped = await stream.readTo('session.status_idle');
stream.close();
assert.equal(the(stopped, 'span.outcome_evaluation_end').result, 'interrupted');
assert.equal(the(stopped, 'span.outcome_evaluation_end').outcome_evaluation_start_id, '');

const { outcome_evaluations: outcomes } = await client.beta.sessions.retrieve(session.id);
assert.deepEqual(outcomes.map((one) => one.result), ['satisfied', 'interrupted']);
assert.equal(outcomes[0].outcome_id, defined.outcome_id);
assert.equal(outcomes[0].explanation, 'It rhymes.');
assert.ok(outcomes[0].completed_at);
assert.equal(text(events.find((event) => event.type === 'agent.message')), 'Written.');
