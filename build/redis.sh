#!/bin/sh
# A throw-away Redis on a unix socket for tests: build/redis.sh start|stop|url DIR
# start prints its URL, which the tests take as CLAWLESS_TEST_REDIS. Everything lives in DIR; stop ends the server and removes it.
# It listens on no port and keeps nothing on disk: what is in it is worth nothing after the tests.
set -eu

usage() {
	echo "usage: build/redis.sh start|stop|url DIR" >&2
	exit 2
}
[ $# -eq 2 ] || usage
verb=$1
[ "$verb" != start ] || mkdir -p "$2"
[ -d "$2" ] || {
	echo "redis.sh: there is no folder $2, so no server was started in it" >&2
	exit 1
}
dir=$(cd "$2" && pwd)
socket=$dir/redis.sock

running() { [ -S "$socket" ] && [ "$(redis-cli -s "$socket" ping 2>/dev/null)" = PONG ]; }
url() { echo "unix://$socket?db=0"; }

start() {
	if running; then
		url
		return
	fi
	command -v redis-server >/dev/null || {
		echo "redis.sh: redis-server was not found; install Redis 6.2 or newer (Debian: apt-get install redis-server)" >&2
		exit 1
	}
	# A path to a socket may have 107 bytes, and Redis cuts a longer one off without a word.
	if [ "$(printf %s "$socket" | wc -c)" -gt 107 ]; then
		echo "redis.sh: the path $socket is too long for a socket; choose a shorter folder" >&2
		exit 1
	fi
	redis-server --port 0 --unixsocket "$socket" --unixsocketperm 700 --daemonize yes --pidfile "$dir/redis.pid" --logfile "$dir/redis.log" \
		--dir "$dir" --save '' --appendonly no --databases 1 >/dev/null
	tries=0
	until running; do
		tries=$((tries + 1))
		if [ "$tries" -gt 100 ]; then
			cat "$dir/redis.log" >&2
			echo "redis.sh: the server did not start; its log is above" >&2
			exit 1
		fi
		sleep 0.1
	done
	url
}

stop() {
	if running; then
		redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1 || true
	fi
	rm -f "$socket" "$dir/redis.pid" "$dir/redis.log"
	rmdir "$dir" 2>/dev/null || true
}

case $verb in
start) start ;;
stop) stop ;;
url)
	running || {
		echo "redis.sh: no server is running in $dir" >&2
		exit 1
	}
	url
	;;
*) usage ;;
esac
