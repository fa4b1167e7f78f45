#!/usr/bin/env bash
# Prints the steps, the tests that failed and were skipped, and the totals over steps and tests; fails when anything failed.
# Usage: totals.sh STEPS-FILE EVENTS-DIR
set -euo pipefail

steps=$1 events=$2

# One line for each test: pass, fail or skip, and its name. A test with subtests counts once more than they do.
results() {
  find "$events" -name '*.json' -print0 | sort -z | xargs -0 -r cat |
    jq -rR 'fromjson? | select(.Test and (.Action == "pass" or .Action == "fail" or .Action == "skip")) | "\(.Action) \(.Package) \(.Test)"'
}
all=$(results)
counts=$(find "$events" -name '*.count' -print0 | xargs -0 -r cat)

count() { grep -c "^$1 " <<<"$all" || true; }
sum() { awk -v f="$1" '{ s += $f } END { print s + 0 }' <<<"$counts"; }

printf '\n== summary\n'
awk '{ printf "%-16s %-7s %4d s\n", $1, $2, $3 }' "$steps"
grep '^fail ' <<<"$all" | sed 's/^fail /failed: /' || true
grep '^skip ' <<<"$all" | sed 's/^skip /skipped: /' || true

passed=$(($(count pass) + $(sum 1) + $(grep -c ' ok ' "$steps" || true)))
failed=$(($(count fail) + $(sum 2) + $(grep -c ' FAILED ' "$steps" || true)))
skipped=$(($(count skip) + $(sum 3)))
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
