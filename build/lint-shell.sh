#!/usr/bin/env bash
# Checks every shell script of the repository.
set -euo pipefail

cd "$(dirname "$0")/.."
mapfile -t scripts < <(git ls-files -- '*.sh' .ci/run)
shellcheck "${scripts[@]}"
