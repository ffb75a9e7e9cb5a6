#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Malformed and ambiguous messages of devices and of origins: tests/tools/smuggle.c and its table of cases.
#
# timeout: 360
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-smuggle.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
origin=$((26000 + (BASHPID + RANDOM) % 6000))
proxy=''

finish() {
	[[ -z $proxy ]] || kill "$proxy" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" -o log.level=error &
proxy=$!
BUILD=$build "$here/../tools/wire" ready "$dir" || exit 1
"$build/tests/tools/smuggle" "$port" "$origin" "$dir/run/proxy.sock"
