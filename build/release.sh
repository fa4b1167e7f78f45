#!/usr/bin/env bash
# Builds every archive into dist/. With --snapshot nothing is published and no tag is needed.
set -euo pipefail

cd "$(dirname "$0")/.."
if ! command -v aarch64-linux-gnu-gcc >/dev/null; then
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "release: aarch64-linux-gnu-gcc is missing (Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross)" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross >/dev/null
fi
export PATH="$PWD/bin:$PATH" # for the bill of materials
exec go tool -modfile=build/release/go.mod goreleaser release --clean "$@"
