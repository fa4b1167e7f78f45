#!/usr/bin/env bash
# Runs golangci-lint over every module of the repository, and shellcheck over every script.
set -euo pipefail

cd "$(dirname "$0")/.."
root=$PWD
lint=$(go tool -n -modfile=build/lint/go.mod golangci-lint)
status=0

# The modules of the tools themselves hold no code.
for dir in . build build/bench build/compat build/e2e build/routeeval widget/internal/build; do
  echo "lint: $dir"
  (cd "$dir" && "$lint" run --config "$root/.golangci.yaml" --timeout 20m --show-stats=false) || status=1
done

mapfile -t scripts < <(git ls-files -- '*.sh' .ci/run)
shellcheck "${scripts[@]}" || status=1
exit "$status"
