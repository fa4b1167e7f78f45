#!/usr/bin/env bash
# Measures bin/clawless and writes the tables of docs/benchmarks.md. Arguments go to the program: -rounds 3 -duration 2s, or -only conversations.
set -euo pipefail

cd "$(dirname "$0")/.."
go build -C build/bench -o ../../bin/clawless-bench .
exec bin/clawless-bench -bin bin/clawless -out docs/benchmarks.md "$@"
