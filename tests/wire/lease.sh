#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Slow devices get right bytes while what they read is evicted and its pages are written anew: bytes in a socket's
# queue are read from the data file again when they are sent, so their pages stay until they are acknowledged.
#
# timeout: 300
#
#	curl, slow --> tarn-proxy :PORT, a store of 64 MiB --> pace 127.0.0.9:ORIGIN
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=${BUILD:-$here/../../build}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-lease.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
origin=$((26000 + (BASHPID + RANDOM) % 6000))
pids=()

finish() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
chmod 755 "$dir"
mkdir "$dir/www"
for i in {0..9}; do head -c 16M /dev/urandom >"$dir/www/$i"; done

"$build/tests/tools/pace" 127.0.0.9 "$origin" "$dir/www" >"$dir/requests" &
pids+=($!)
wait_until 10 grep -q ready "$dir/requests" || exit 1
BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" -o cache.size=64M &
pids+=($!)
wire() { BUILD=$build "$here/../tools/wire" "$1" "$dir" "${@:2}"; }
wire ready || exit 1
url=http://127.0.0.1:$port/acme
get() { curl -sS --max-time 20 "$url/$1" | cmp - "$dir/www/$1"; }
requests() { grep -c "GET /$1 " "$dir/requests"; }

check 'it is stored' get 0
wire idle
for i in 1 2 3; do
	curl -sS --limit-rate 3M --max-time 60 -o "$dir/slow$i" "$url/0" &
	slow[i]=$!
done
# They have begun, from the store.
wait_until 10 test -s "$dir/slow3"
check '... and read from there' test "$(requests 0)" == 1
# A new version replaces it: its chunks are doomed, and wait for their readers.
kill "${pids[0]}"
wait "${pids[0]}" 2>/dev/null
"$build/tests/tools/pace" -e '"new"' 127.0.0.9 "$origin" "$dir/www" >>"$dir/requests" &
pids[0]=$!
wait_until 10 bash -c "</dev/tcp/127.0.0.9/$origin"
check 'it is replaced' curl -sSf --max-time 20 -H 'Cache-Control: no-cache' -o "$dir/new" "$url/0"
check '... by another request' test "$(requests 0)" == 2
for round in 1 2; do
	for i in {1..9}; do get "$i" || echo "# $round: object $i is wrong"; done
done
wire idle
evicted=$(wire stat store.evicted)
check 'its deletion was put off' test "$(wire stat lease.deferred)" -ge 1
echo "# evicted: $evicted"
check 'much was evicted meanwhile' test "$evicted" -ge 5
for i in 1 2 3; do
	wait "${slow[i]}"
	check "slow device $i has it whole, every byte right" cmp "$dir/slow$i" "$dir/www/0"
done
check 'and no lease is left' wire count lease.open 0
done_testing
