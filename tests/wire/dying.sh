#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Origins that die in the middle (tests/tools/dying.c), and what is stored of that: now, and after a restart.
#
# timeout: 600
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-dying.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
origin=$((26000 + (BASHPID + RANDOM) % 6000))
proxy=''

stop() {
	[[ -z $proxy ]] || kill "$proxy" 2>/dev/null
	wait 2>/dev/null
	proxy=''
}
finish() {
	stop
	rm -rf "$dir"
}
trap finish EXIT

# No row is about an origin that is slow: on a machine that is, none may count as such.
start() {
	BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" -o cache.size=3G -o log.level=error \
		-o upstream.connect_timeout=20s -o upstream.first_byte_timeout=20s -o upstream.idle_timeout=20s &
	proxy=$!
	BUILD=$build "$here/../tools/wire" ready "$dir" || exit 1
}

start
"$build/tests/tools/dying" "$port" "$origin" "$dir/run/proxy.sock"
failed=$?
stop
start
"$build/tests/tools/dying" -s "$port" "$origin" "$dir/run/proxy.sock" || failed=1
exit $failed
