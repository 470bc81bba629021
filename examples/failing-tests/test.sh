#!/usr/bin/env bash
# Runs every test of slugify.sh and ends with an error when one fails.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/slugify.sh"

passed=0
failed=0

# check NAME EXPECTED COMMAND [ARGUMENT…]
check() {
  local name="$1" expected="$2" actual
  shift 2
  actual="$("$@")"
  if [[ "$actual" == "$expected" ]]; then
    passed=$((passed + 1))
    echo "ok $((passed + failed)) - $name"
  else
    failed=$((failed + 1))
    echo "not ok $((passed + failed)) - $name"
    echo "  expected: $expected"
    echo "  actual:   $actual"
  fi
}

check "slugify lowers the case" "readme" slugify "README"
check "slugify joins two words" "hello-world" slugify "Hello World"
check "slugify joins every word" "the-quick-brown-fox" slugify "The Quick Brown Fox"
check "slugify drops punctuation" "release-notes-2026" slugify "Release Notes, 2026!"
check "capitalize raises every word" "Plain And Exact" capitalize "plain and exact"
check "shorten keeps a short text" "short" shorten "short" 10
check "shorten cuts a long text" "a long ..." shorten "a long sentence" 10

echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
