#!/usr/bin/env bash
# Runs every check once, goes on after a failure, and ends with a table of the steps and the totals.
set -euo pipefail

cd "$(dirname "$0")/.."
build/needs.sh

work=$(mktemp -d)
chmod 711 "$work" # the database runs as another user
export CLAWLESS_TEST_EVENTS=$work/events
mkdir -p "$CLAWLESS_TEST_EVENTS"
: >"$work/steps"
cleanup() {
  build/postgres.sh stop "$work/postgres" >/dev/null 2>&1 || true
  build/redis.sh stop "$work/redis" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# step TARGET: one job of the Makefile; what it tested is in the events, that it passed is a check of its own.
step() {
  local start=$SECONDS result=ok
  printf '\n== %s\n' "$1"
  "${MAKE:-make}" "$1" || result=FAILED
  printf '%s %s %d\n' "$1" "$result" $((SECONDS - start)) >>"$work/steps"
}

CLAWLESS_TEST_POSTGRES=$(build/postgres.sh start "$work/postgres")
export CLAWLESS_TEST_POSTGRES
CLAWLESS_TEST_REDIS=$(build/redis.sh start "$work/redis")
export CLAWLESS_TEST_REDIS

totals() { build/totals.sh "$work/steps" "$CLAWLESS_TEST_EVENTS"; }

step build
if grep -q FAILED "$work/steps"; then # nothing that follows could be believed
  totals || exit 1
fi
step generate-check
step lint
step race
step gates
step widget-test
step nocgo
step compat
step tools-test

totals
