#!/usr/bin/env bash
# Writes again what is generated, in the order in which one depends on another: the server's OpenAPI document, the SDK and the widget made from it, then the
# reference pages of the binary that holds both. With --check it fails when that changed anything.
set -euo pipefail

cd "$(dirname "$0")/.."
generated=(openapi sdk widget docs/reference)

generate() {
  go build -o bin/clawless ./cmd/clawless
  bin/clawless openapi >openapi/openapi.yaml.new
  mv openapi/openapi.yaml.new openapi/openapi.yaml
  go tool -modfile=build/go.mod oapi-codegen -config build/sdkgen/types.yaml openapi/openapi.yaml
  go tool -modfile=build/go.mod oapi-codegen -config build/sdkgen/client.yaml openapi/openapi.yaml
  build/widget-deps.sh
  go run -C widget/internal/build .
  go build -o bin/clawless ./cmd/clawless
  bin/clawless docs --dir docs/reference
  go test ./server/llm/mock -run TestReference -update >/dev/null
  go test ./server/llm/all -run TestConformance -update >/dev/null
}

if [ "${1:-}" != --check ]; then
  generate
  exit 0
fi

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
for dir in "${generated[@]}"; do
  mkdir -p "$before/$dir" "$dir"
  cp -R "$dir/." "$before/$dir/"
done
generate
stale=0
for dir in "${generated[@]}"; do
  diff -rq -x node_modules "$before/$dir" "$dir" || stale=1
done
if [ "$stale" = 1 ]; then
  echo "generate: the files above were stale and are fresh now: commit them (make generate writes them)" >&2
  exit 1
fi
