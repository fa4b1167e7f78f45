#!/usr/bin/env bash
# Runs Go tests, never from the cache, and keeps their events for the totals.
# Usage: gotest.sh NAME MODULE-DIR GO-TEST-ARGUMENTS...
set -euo pipefail

name=$1 dir=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
events=${CLAWLESS_TEST_EVENTS:-$root/.test}
mkdir -p "$events"

bin=$(cd "$root" && go tool -n -modfile=build/go.mod gotestsum)
cd "$root/$dir"
exec "$bin" --format pkgname-and-test-fails --format-hide-empty-pkg --jsonfile "$events/$name.json" -- \
  -count=1 -timeout 20m "$@"
