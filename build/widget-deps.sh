#!/usr/bin/env bash
# Installs the widget's pinned packages from npm, unless they are there already.
set -euo pipefail

cd "$(dirname "$0")/../widget"
if [ node_modules/.package-lock.json -nt package-lock.json ]; then exit 0; fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
