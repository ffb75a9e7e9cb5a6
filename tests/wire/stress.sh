#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything at once, at random: tests/tools/stress.c says what. STRESS_SECONDS, STRESS_CLIENTS, STRESS_SEED.
#
# timeout: 1800
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"

box_start -o proxy.workers=2 -o cache.size=64M -o log.level=error

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
done < <("$build/tests/tools/stress" "${options[@]}" "$port" "$origin" "$dir/run/proxy.sock" "${pids[box]}" 2>&1)
check 'all of it ran' test "$tap_count" -ge 5

begin=${EPOCHREALTIME/./}
stop box
ended=$?
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
echo "# ended after $took ms"
check 'SIGTERM: status 0' test "$ended" = 0 || tail -n 60 "$dir/proxy.log" | sed 's/^/# /'
check 'within the limit' test "$took" -le 20000
done_testing
