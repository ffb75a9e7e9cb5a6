#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A store of many objects: after a polite end and after kill -9, with its pages dropped from memory, the program's first
# answer from the store comes at once (as it does from a small one), in little memory, and no object is lost.
# RESTART_OBJECTS says how many; `make restart-bench` takes a million, and RESTART_MS as the limit.
#
# timeout: 300
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=${BUILD:-$here/../../build}
objects=${RESTART_OBJECTS:-20000}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-restart.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
pid=''
finish() {
	[[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

mkdir "$dir/store" "$dir/run"
chmod 755 "$dir"
user=()
if ((EUID == 0)); then
	chown nobody "$dir/store" "$dir/run"
	user=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
BUILD=$build "$here/../tools/wire" profile "$dir" 80
million=$build/tests/tools/million
check "$objects objects are stored" "${user[@]}" "$million" "$dir/store" fill "$objects"

# first N: the program is started and asked for that object; sets pid and ms.
first() {
	local line
	line=$("$million" "$dir/store" first "$1" "$port" "${user[@]}" "$build/bin/tarn-proxy" \
		-o "proxy.listen=127.0.0.1:$port" -o "cache.path=$dir/store" -o cache.size=16G \
		-o "proxy.admin_socket=$dir/run/proxy.sock" -o "vendors.dir=$dir/vendors" -o proxy.workers=1 \
		2>>"$dir/proxy.log")
	local status=$?
	read -r pid ms <<<"$line"
	return $status
}
# ended SIGNAL: it ends.
ended() {
	kill "-$1" "$pid"
	wait_until 20 eval '! kill -0 "$pid" 2>/dev/null || [[ $(ps -o stat= -p "$pid") == Z* ]]'
}
anon() { awk '/^RssAnon/ { print $2 }' "/proc/$pid/status"; }

: >"$dir/figures"
for signal in KILL TERM KILL; do
	first $((RANDOM % objects))
	check "the first answer is from the store, and right" test $? -eq 0 || { sed "s/^/# /" "$dir/proxy.log"; ended KILL; break; }
	echo "$ms" >>"$dir/figures"
	echo "# first answer $ms ms after the start; $(anon) KiB of anonymous memory"
	check '... in at most 64 MiB of anonymous memory' test "$(anon)" -le 65536
	check "it ends by SIG$signal" ended "$signal"
done
pid=''
# Milliseconds are for a quiet machine: RESTART_MS is the most that the best of three may take.
best=$(sort -n "$dir/figures" | head -n 1)
[[ -z ${RESTART_MS:-} ]] || check "the first answer comes within $RESTART_MS ms" \
	awk -v ms="$best" -v most="$RESTART_MS" 'BEGIN { exit !(ms <= most) }'
lost=$("${user[@]}" "$million" "$dir/store" check "$objects" 2>/dev/null)
check 'no object is lost or changed' test "$lost" = 0
echo "# $objects objects: the first answer at best $best ms after the start; $lost lost"
done_testing
