#!/usr/bin/env bash
# Type-checks the widget and runs its tests in node, and leaves the counts for the totals.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
events=${CLAWLESS_TEST_EVENTS:-$root/.test}
mkdir -p "$events"
"$root/build/widget-deps.sh"
cd "$root/widget"

npm run --silent types

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
npm test --silent | tee "$output" || status=$?

# node's last lines are "# pass 12" or "ℹ pass 12", by its reporter.
count() { sed -nE "s/^(#|ℹ) $1 ([0-9]+)\$/\\2/p" "$output" | tail -n 1; }
passed=$(count pass) failed=$(count fail) skipped=$(count skipped)
if [ -z "$passed" ] || [ "$passed" = 0 ]; then
  echo "widget: no test was executed" >&2
  exit 1
fi
echo "$passed ${failed:-0} ${skipped:-0}" >"$events/widget.count"
exit "$status"
