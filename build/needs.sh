#!/usr/bin/env bash
# Installs what the tests need beyond Go: on Debian as root by apt, elsewhere it says what is missing and stops.
set -euo pipefail

missing=() packages=()

# need COMMAND PACKAGE: the first of several commands, separated by |, is enough.
need() {
  local command
  for command in ${1//|/ }; do
    if command -v "$command" >/dev/null; then return; fi
  done
  missing+=("$1") packages+=("$2")
}

if ! command -v go >/dev/null; then
  echo "needs: Go is missing: install the version that go.mod names" >&2
  exit 1
fi
need git git
need "gcc|cc" gcc
need "chromium|chromium-browser|google-chrome" chromium
need tmux tmux
need jq jq
need node nodejs
need npm npm
need shellcheck shellcheck
need redis-server redis-server
if [ ! -e /usr/include/stdio.h ] && [ "$(uname)" = Linux ]; then
  missing+=("C headers") packages+=(libc6-dev)
fi
if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  missing+=(postgres) packages+=(postgresql)
fi

# The widget's tests need a newer node than some distributions have.
node_is_new() { node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; }
check_node() {
  if ! node_is_new; then
    echo "needs: node $(node --version) is older than 20.19, which the widget's tests need: install a newer one" >&2
    exit 1
  fi
}

if [ ${#missing[@]} -eq 0 ]; then
  check_node
  exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "needs: missing ${missing[*]}" >&2
  echo "needs: install them and run this again (on Debian: apt-get install ${packages[*]})" >&2
  exit 1
fi

# Test databases are made where they are used, so none is wanted as a service: RUNLEVEL=1 keeps apt from starting any.
if [[ " ${packages[*]} " == *" postgresql "* ]]; then
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
fi
echo "needs: installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
check_node
