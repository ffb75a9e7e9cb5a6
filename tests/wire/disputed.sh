#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The cases that caches disagree about (tests/compare/cases.txt), through Tarn alone, with a profile that
# says nothing of its own about freshness: as an update source with a connection a request; then with connections that
# are kept and an origin that sends chunked bodies, as a browser and a program's web server would; and the same as an
# explicit proxy. `make compare-http` sets it beside others.
#
# timeout: 360
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"

# start NAME [-o ...]: anew, with an empty store.
start() {
	stop box
	mkdir -p "$dir/$1"
	WIRE_PROFILE=plain "$here/../tools/wire" start "$dir/$1" "$port" "$origin" -o log.level=error &
	pids[box]=$!
	"$here/../tools/wire" ready "$dir/$1" || exit 1
}

# play NAME OPTION...: the lines of TAP of all plays count on.
play() {
	local name=$1
	shift
	"$build/tests/tools/dispute" -t "$@" >"$dir/$name.tap"
	[[ $? -le 1 ]] || failed=1
	sed -n "s/^\(not ok\|ok\) [0-9]* - /\1 - $name: /p; /^#/p" "$dir/$name.tap" >>"$dir/tap"
	! grep -q '^not ok' "$dir/$name.tap" || failed=1
}

failed=0
start source
play source "$origin" "$here/../compare/cases.txt" "Tarn=$port/acme"
start kept
play kept -c -k "$origin" "$here/../compare/cases.txt" "Tarn=$port/acme"
start explicit
play explicit -c -k -x 127.0.0.9 "$origin" "$here/../compare/cases.txt" "Tarn=$port"
awk '/^(not )?ok/ { n++; sub(/ok/, "ok " n) } { print } END { print "1.." n }' "$dir/tap"
exit "$failed"
