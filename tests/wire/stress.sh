#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything at once, at random: tests/tools/stress.c says what. STRESS_SECONDS, STRESS_CLIENTS, STRESS_SEED.
#
# timeout: 1800
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=${BUILD:-$here/../../build}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-stress.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
origin=$((26000 + (BASHPID + RANDOM) % 6000))
proxy=''

finish() {
	[[ -z $proxy ]] || kill "$proxy" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

wire() { BUILD=$build "$here/../tools/wire" "$1" "$dir" "${@:2}"; }
BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" -o proxy.workers=2 -o cache.size=64M \
	-o log.level=error &
proxy=$!
wire ready || exit 1

# A sanitizer keeps what is freed, and is slow: its memory says nothing.
growth=16384
! grep -q -- -fsanitize "$build/flags" || growth=0
options=(-s "${STRESS_SECONDS:-20}" -n "${STRESS_CLIENTS:-24}" -m "$growth")
[[ -z ${STRESS_SEED:-} ]] || options+=(-S "$STRESS_SEED")
while IFS= read -r line; do
	case $line in
	ok* | 'not ok'*)
		tap_count=$((tap_count + 1))
		[[ $line == ok* ]] || tap_failed=$((tap_failed + 1))
		;;
	1..*) continue ;;
	esac
	echo "$line"
done < <("$build/tests/tools/stress" "${options[@]}" "$port" "$origin" "$dir/run/proxy.sock" "$proxy" 2>&1)
check 'all of it ran' test "$tap_count" -ge 5

begin=${EPOCHREALTIME/./}
kill -TERM "$proxy"
wait "$proxy"
ended=$?
proxy=''
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
echo "# ended after $took ms"
check 'SIGTERM: status 0' test "$ended" = 0 || tail -n 60 "$dir/proxy.log" | sed 's/^/# /'
check 'within the limit' test "$took" -le 20000
done_testing
