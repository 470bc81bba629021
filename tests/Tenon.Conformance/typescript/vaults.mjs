// Every operation of vaults and their credentials, of all three kinds.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { model, printing } from './lab.mjs';

const { beta } = printing();
const { credentials } = beta.vaults;
const ids = (page) => page.data.map((item) => item.id);

const vault = await beta.vaults.create({ display_name: 'Alice', metadata: { external_user_id: 'usr_1', gone: '1' } });
const renamed = await beta.vaults.update(vault.id, { display_name: 'Bob', metadata: { gone: null } });
assert.deepEqual([renamed.display_name, renamed.metadata], ['Bob', { external_user_id: 'usr_1' }]);
assert.deepEqual(await beta.vaults.retrieve(vault.id), renamed);
assert.ok(ids(await beta.vaults.list({ limit: 100 })).includes(vault.id));

// Nobody listens on port 1.
const mcp_server_url = 'http://127.0.0.1:1/mcp';
const oauth = await credentials.create(vault.id, {
  display_name: 'Chat',
  auth: {
    type: 'mcp_oauth', mcp_server_url, access_token: 'access-1', expires_at: '2099-12-31T23:59:59Z',
    refresh: {
      token_endpoint: 'https://auth.example.com/token', client_id: 'c', refresh_token: 'refresh-1', scope: 'a',
      token_endpoint_auth: { type: 'client_secret_post', client_secret: 'secret-1' },
    },
  },
});
assert.deepEqual(oauth.auth.refresh, {
  token_endpoint: 'https://auth.example.com/token', client_id: 'c', scope: 'a', resource: null,
  token_endpoint_auth: { type: 'client_secret_post' },
});
const bearer = await credentials.create(vault.id, {
  auth: { type: 'static_bearer', mcp_server_url: 'https://mcp.example.com/mcp', token: 'token-1' },
});
const variable = await credentials.create(vault.id, {
  auth: {
    type: 'environment_variable', secret_name: 'NOTES_KEY', secret_value: 'secret-value-1',
    networking: { type: 'limited', allowed_hosts: ['api.example.com'] }, injection_location: { header: true },
  },
});
assert.deepEqual(variable.auth.injection_location, { header: true, body: false });
await assert.rejects(
  credentials.create(vault.id, {
    auth: { type: 'static_bearer', mcp_server_url: 'https://MCP.example.com/mcp/', token: 'token-2' },
  }),
  Anthropic.ConflictError,
);

const at = { vault_id: vault.id };
const updated = await credentials.update(oauth.id, {
  ...at, auth: { type: 'mcp_oauth', access_token: 'access-2', refresh: { refresh_token: 'refresh-2' } },
});
assert.deepEqual(await credentials.retrieve(oauth.id, at), updated);
assert.deepEqual(ids(await credentials.list(vault.id)), [variable.id, bearer.id, oauth.id]);
const validation = await credentials.mcpOAuthValidate(oauth.id, at);
assert.deepEqual([validation.status, validation.has_refresh_token, validation.refresh], ['unknown', true, null]);
assert.equal(validation.mcp_probe.method, 'initialize');
assert.notEqual((await credentials.archive(bearer.id, at)).archived_at, null);
assert.equal((await credentials.delete(variable.id, at)).type, 'vault_credential_deleted');
assert.deepEqual(ids(await credentials.list(vault.id, { include_archived: true })), [bearer.id, oauth.id]);

const session = await new Anthropic().beta.sessions.create({
  environment_id: (await new Anthropic().beta.environments.create({ name: 'vaults' })).id,
  agent: (await new Anthropic().beta.agents.create({ name: 'vaults', model })).id,
  vault_ids: [vault.id],
});
assert.deepEqual(session.vault_ids, [vault.id]);
assert.notEqual((await beta.vaults.archive(vault.id)).archived_at, null);
assert.equal((await beta.vaults.delete(vault.id)).type, 'vault_deleted');
await assert.rejects(beta.vaults.retrieve(vault.id), Anthropic.NotFoundError);
