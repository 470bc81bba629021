// An agent uses a tool of an MCP server, and asks before it does. The server is a few lines of this program; yours may be
// anywhere that Tenon reaches. Needs `npm install @anthropic-ai/sdk`, ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY, and a
// Tenon that may reach this machine: ./tenon serve --egress-ranges 127.0.0.1/32
import { createServer } from 'node:http';
import Anthropic from '@anthropic-ai/sdk';

const tools = [
  {
    name: 'stock',
    description: 'How many pieces of an article are in stock.',
    inputSchema: { type: 'object', properties: { article: { type: 'string' } }, required: ['article'] },
  },
];
const methods = {
  initialize: () => ({
    protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'warehouse', version: '1' },
  }),
  'tools/list': () => ({ tools }),
  'tools/call': ({ arguments: { article } }) => ({
    content: [{ type: 'text', text: `There are ${article.length} pieces of ${article}.` }],
  }),
};
const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const { id, method, params } = JSON.parse(Buffer.concat(parts).toString() || '{}');
  if (id === undefined) return response.writeHead(202).end();
  const answer = methods[method]
    ? { result: methods[method](params) } : { error: { code: -32601, message: `no method ${method}` } };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
});
const host = process.env.HOST ?? '127.0.0.1';
await new Promise((listening) => server.listen(0, host, listening));

const client = new Anthropic();
const environment = await client.beta.environments.create({ name: 'warehouse' });
const agent = await client.beta.agents.create({
  name: 'warehouse',
  model: process.env.MODEL ?? 'claude-sonnet-5',
  mcp_servers: [{ type: 'url', name: 'warehouse', url: `http://${host}:${server.address().port}/mcp` }],
  tools: [{ type: 'mcp_toolset', mcp_server_name: 'warehouse' }], // every call asks, unless a policy says otherwise
});
const session = await client.beta.sessions.create({ environment_id: environment.id, agent: agent.id });
const send = (event) => client.beta.sessions.events.send(session.id, { events: [event] });

const stream = await client.beta.sessions.events.stream(session.id);
await send({ type: 'user.message', content: [{ type: 'text', text: 'How many lamps do we have?' }] });
for await (const event of stream) {
  if (event.type === 'session.error') console.log(event.error.message);
  if (event.type === 'agent.message') console.log(event.content.map((block) => block.text).join(''));
  if (event.type === 'agent.mcp_tool_use') {
    console.log(`${event.mcp_server_name}: ${event.name} ${JSON.stringify(event.input)}`);
    await send({ type: 'user.tool_confirmation', tool_use_id: event.id, result: 'allow' });
  }
  if (event.type === 'agent.mcp_tool_result') console.log(event.content.map((block) => block.text).join(''));
  if (event.type === 'session.status_idle' && event.stop_reason.type !== 'requires_action') break;
}
server.close();
