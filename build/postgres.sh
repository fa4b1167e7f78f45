#!/bin/sh
# A throw-away Postgres on loopback for tests: build/postgres.sh start|stop|url DIR
# start prints the URL of an administrator, which the tests take as CLAWLESS_TEST_POSTGRES. Everything lives in DIR; stop ends the server and removes it.
# Postgres refuses to run as root, so root runs it as the user postgres. Durability is off: what is in it is worth nothing after the tests.
set -eu

usage() {
	echo "usage: build/postgres.sh start|stop|url DIR" >&2
	exit 2
}
[ $# -eq 2 ] || usage
verb=$1
[ "$verb" != start ] || mkdir -p "$2"
[ -d "$2" ] || {
	echo "postgres.sh: there is no folder $2, so no server was started in it" >&2
	exit 1
}
dir=$(cd "$2" && pwd)

# Debian keeps the server's programs off the PATH.
for bin in /usr/lib/postgresql/*/bin; do
	[ -d "$bin" ] && PATH="$PATH:$bin"
done
export PATH

as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		su postgres -s /bin/sh -c "PATH='$PATH'; cd /; $1"
	else
		sh -c "$1"
	fi
}

running() { [ -f "$dir/data/postmaster.pid" ] && as_postgres "pg_ctl -D '$dir/data' status" >/dev/null 2>&1; }

start() {
	if running; then
		cat "$dir/url"
		return
	fi
	command -v initdb >/dev/null || {
		echo "postgres.sh: initdb was not found; install PostgreSQL 14 or newer (Debian: apt-get install postgresql)" >&2
		exit 1
	}
	password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	if [ ! -d "$dir/data" ]; then
		(umask 077 && printf '%s' "$password" >"$dir/password")
		[ "$(id -u)" = 0 ] && chown postgres "$dir" "$dir/password"
		as_postgres "initdb -D '$dir/data' -U postgres --pwfile='$dir/password' -A scram-sha-256 -E UTF8 --locale=C --no-sync" >"$dir/initdb.log" 2>&1 || {
			cat "$dir/initdb.log" >&2
			exit 1
		}
	fi
	password=$(cat "$dir/password")
	# A port can be taken between the choice and the start, so the start itself decides.
	for _ in 1 2 3 4 5 6 7 8; do
		port=$((20000 + $(od -An -N2 -tu2 /dev/urandom | tr -d ' ') % 12000))
		if as_postgres "pg_ctl -D '$dir/data' -l '$dir/data/log' -w -t 60 -o \"-c listen_addresses=127.0.0.1 -p $port -c unix_socket_directories='' -c fsync=off -c max_connections=200\" start" >/dev/null 2>&1; then
			(umask 077 && echo "postgres://postgres:$password@127.0.0.1:$port/postgres?sslmode=disable" >"$dir/url")
			cat "$dir/url"
			return
		fi
	done
	cat "$dir/data/log" >&2
	echo "postgres.sh: the server did not start; its log is above" >&2
	exit 1
}

stop() {
	if running; then
		as_postgres "pg_ctl -D '$dir/data' -m immediate -w stop" >/dev/null
	fi
	rm -rf "$dir/data" "$dir/url" "$dir/password" "$dir/initdb.log"
	rmdir "$dir" 2>/dev/null || true
}

case $verb in
start) start ;;
stop) stop ;;
url)
	running || {
		echo "postgres.sh: no server is running in $dir" >&2
		exit 1
	}
	cat "$dir/url"
	;;
*) usage ;;
esac
