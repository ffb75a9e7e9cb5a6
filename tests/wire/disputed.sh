#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The cases that caches disagree about (tests/compare/cases.txt), through Tarn alone, with a profile that
# says nothing of its own about freshness. `make compare-http` sets it beside others.
#
# timeout: 120
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-disputed.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
origin=$((26000 + (BASHPID + RANDOM) % 6000))
proxy=''

finish() {
	[[ -z $proxy ]] || kill "$proxy" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

WIRE_PROFILE=plain BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" -o log.level=error &
proxy=$!
BUILD=$build "$here/../tools/wire" ready "$dir" || exit 1
"$build/tests/tools/dispute" -t "$origin" "$here/../compare/cases.txt" "Tarn=$port/acme"
