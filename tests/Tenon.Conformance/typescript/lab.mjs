// What every program here begins with. The server, the key and the scripted model come from the test that runs it.
import Anthropic from '@anthropic-ai/sdk';

export const client = new Anthropic();

/** A client that prints each request that leaves: the test compares them with the operations that should work. */
export const printing = () => new Anthropic({
  fetch: (url, init) => {
    console.log(`REQUEST ${init.method.toUpperCase()} ${new URL(url).pathname}`);
    return fetch(url, init);
  },
});

export const model = process.env.CONFORMANCE_MODEL;

export async function createSession(tools = [], config = { type: 'cloud' }, more = {}) {
  return sessionOf(await client.beta.agents.create({ name: 'typescript', model, tools, ...more }), config);
}

export async function sessionOf(agent, config = { type: 'cloud' }) {
  const environment = await client.beta.environments.create({ name: 'typescript', config });
  return client.beta.sessions.create({ environment_id: environment.id, agent: agent.id });
}

export const message = (text) => ({ type: 'user.message', content: [{ type: 'text', text }] });

export const send = (session, ...events) => client.beta.sessions.events.send(session.id, { events });

export const text = (event) => event.content.map((block) => block.text).join('');

/** A stream that can be read in steps. */
export const open = async (session, params = {}) =>
  inSteps(await client.beta.sessions.events.stream(session.id, params));

/** The stream of one thread, likewise. */
export const openThread = async (session, threadId, params = {}) => inSteps(
  await client.beta.sessions.threads.events.stream(threadId, { session_id: session.id, ...params }));

function inSteps(stream) {
  const events = stream[Symbol.asyncIterator]();
  async function readUntil(isEnough, wanted) {
    const read = [];
    for (;;) {
      const { value, done } = await events.next();
      if (done) throw new Error(`the stream ended before ${wanted}, after ${read.map((event) => event.type)}`);
      read.push(value);
      if (isEnough(read)) return read;
    }
  }
  return {
    close: () => stream.controller.abort(),
    readTo: (type) => readUntil((read) => read.at(-1).type === type, type),
    readUntil,
  };
}

export async function history(session) {
  const events = [];
  for await (const event of client.beta.sessions.events.list(session.id)) events.push(event);
  return events;
}

export const the = (events, type) => {
  const found = events.filter((event) => event.type === type);
  if (found.length !== 1) throw new Error(`${found.length} of ${type} among ${events.map((event) => event.type)}`);
  return found[0];
};
