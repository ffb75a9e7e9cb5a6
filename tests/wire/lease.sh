#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Slow devices get right bytes while what they read is evicted and its pages are written anew. (netns/acked.sh has those of
# which the last bytes stand in the socket's queue, not copied.)
#
# timeout: 300
#
#	curl, slow --> tarn-proxy :PORT, a store of 64 MiB --> pace 127.0.0.9:ORIGIN
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
mkdir "$dir/www"
for i in {0..9}; do head -c 16M /dev/urandom >"$dir/www/$i"; done

pace_start
box_start -o cache.size=64M
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
stop pace
pace_start -e '"new"'
check 'it is replaced' curl -sSf --max-time 20 -H 'Cache-Control: no-cache' -o "$dir/new" "$url/0"
check '... by another request' test "$(requests 0)" == 1
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
