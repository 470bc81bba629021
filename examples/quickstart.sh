#!/usr/bin/env bash
# An agent runs a command in its sandbox. Needs ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
set -euo pipefail

call() { # path, then curl's own arguments
  curl -sS --fail-with-body "$ANTHROPIC_BASE_URL/v1/$1" "${@:2}" -H "authorization: Bearer $ANTHROPIC_API_KEY" \
    -H 'anthropic-version: 2026-10-21' -H 'anthropic-beta: managed-agents-2026-04-01' \
    -H 'content-type: application/json'
}
id() { awk -F '"id":"' '{ sub("\".*", "", $2); print $2 }'; }

environment=$(call environments -d '{"name": "quickstart"}' | id)
agent=$(call agents -d '{
  "name": "quickstart",
  "model": "claude-sonnet-5",
  "tools": [{"type": "agent_toolset_20260401"}]
}' | id)
session=$(call sessions -d "{\"environment_id\": \"$environment\", \"agent\": \"$agent\"}" | id)

call "sessions/$session/events" -o /dev/null -d '{"events": [{
  "type": "user.message",
  "content": [{"type": "text", "text": "Run `echo hello from the sandbox` and tell me what it says."}]
}]}'

exec 3< <(call "sessions/$session/events/stream" -N)
stream=$!
while read -r field data <&3; do
  case $field$data in
    data:*'"type":"agent.message"'* | data:*'"type":"agent.tool_'*) echo "$data" ;;
    data:*'"type":"session.status_idle"'*) break ;;
  esac
done
kill "$stream"
