import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { client, createSession, history, message, model, send } from './lab.mjs';

const failure = async (promise) => {
  const error = await promise.then(() => assert.fail('it was accepted'), (rejected) => rejected);
  assert.match(error.requestID ?? '', /^req_/, String(error));
  assert.equal(error.error.request_id, error.requestID);
  return error;
};

const notFound = await failure(client.beta.sessions.retrieve('sesn_unknown'));
assert.ok(notFound instanceof Anthropic.NotFoundError);
assert.equal(notFound.type, 'not_found_error');
assert.ok(await failure(client.beta.sessions.events.stream('sesn_unknown')) instanceof Anthropic.NotFoundError);

const stranger = new Anthropic({ apiKey: 'wrong' });
assert.ok(await failure(stranger.beta.agents.list()) instanceof Anthropic.AuthenticationError);

const bad = await failure(client.beta.agents.create({ name: '', model }));
assert.ok(bad instanceof Anthropic.BadRequestError);
assert.match(bad.error.error.message, /^name: /);

let requests = 0;
const counting = new Anthropic({ fetch: (...call) => (requests++, fetch(...call)) });
const agent = await client.beta.agents.create({ name: 'contended', model });
await client.beta.agents.update(agent.id, { version: 1, name: 'won' });
const conflict = await failure(counting.beta.agents.update(agent.id, { version: 1, name: 'lost' }));
assert.ok(conflict instanceof Anthropic.ConflictError);
assert.equal(requests, 1);

const session = await createSession();
const batch = await failure(send(session, message('good'), { type: 'user.message', content: [] }));
assert.ok(batch instanceof Anthropic.BadRequestError);
assert.match(batch.error.error.message, /^events\.1\.content: /);
assert.deepEqual(await history(session), []);
