#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# kill -9 of the data plane and of the keeper in turn, at random moments while devices download (the topology of lib.sh):
# what a device got until then is right, what it asks for next comes whole, and what was committed is there. KILLS and
# KILLS_SEED say how often and which moments; KILLS=50 is the long run.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

kills=${KILLS:-4}
RANDOM=${KILLS_SEED:-$$}
PROXY=$BUILD/bin/tarn-proxy
topology bridge
config 'lan = lan0' 'wan = wan0'
cat >>"$work/tarn.conf" <<END
[dns]
servers = 198.51.100.53
probe_interval = 1s
timeout = 300ms
END
for ((i = 0; i <= kills; i++)); do head -c 3000001 /dev/urandom >"$work/files/$i"; done
touch -d '10 days ago' "$work"/files/*

api() { curl -sf --max-time 5 --unix-socket "$work/proxy.sock" "http://tarn$1"; }
idle() { [[ $(api /api/v1/status | jq .cache.queue_bytes) == 0 ]]; }
fetch() { # DEVICE N [OPTION...]
	in_ns "$1" curl -sS --noproxy '*' --max-time 20 --resolve mirror.vendor.example:80:198.51.100.10 \
		"${@:3}" "http://mirror.vendor.example/files/$2"
}
same() { fetch "$1" "$2" | cmp - "$work/files/$2"; }
via_us() { fetch dev1 0 -o /dev/null -D - | grep -qi '^Via: .*tarn'; }
is_hit() { fetch dev1 "$1" -o /dev/null -D - | grep -qi '^Cache-Status:.*hit'; }
on() {
	tarnd_start
	wait_until 10 in_ns box ip link show br0
	addr box br0 10.7.0.2/24 2001:db8:7::2/64 2>/dev/null
	ip -n "$(ns box)" route replace default via 10.7.0.1
	wait_until 30 eval 'armed && via_us'
}
# under_way N: three downloads of it begin, as slow as to be met by the kill.
under_way() {
	local d
	downloads=()
	for d in dev1 dev2 dev1; do
		fetch "$d" "$1" --limit-rate 4M -o "$work/got.${#downloads[@]}" 2>/dev/null &
		downloads+=($!)
	done
}
# prefixes N: what came of them, perhaps not all, is right.
prefixes() {
	local i
	for i in 0 1 2; do
		[[ ! -s $work/got.$i ]] ||
			cmp -n "$(/usr/bin/stat -c %s "$work/got.$i")" "$work/got.$i" "$work/files/$1" || return 1
	done
}

on || { logs_show; exit 1; }
wrong=0 late=0
for ((i = 1; i <= kills; i++)); do
	rm -f "$work"/got.*
	under_way $i
	read -rt "0.$((RANDOM % 10))" <> <(:) || :
	if ((i % 2)); then
		kill -KILL "$(proxy_pid)"
	else
		kill -KILL "$tarnd"
		wait "$tarnd" 2>/dev/null
	fi
	wait_until 10 same dev1 $i || late=$((late + 1))
	for p in "${downloads[@]}"; do wait "$p"; done
	prefixes $i || wrong=$((wrong + 1))
	if ((i % 2)); then
		wait_until 60 eval 'armed && via_us'
	else
		on
	fi || { logs_show; break; }
done
check "killed $kills times, each time it serves again" test "$i" -gt "$kills"
check 'no byte that came was wrong' test "$wrong" = 0
check 'what was asked for next came whole' test "$late" = 0
check 'all is right, and stored' eval 'for ((i = 1; i <= kills; i++)); do same dev2 $i || exit; done; wait_until 20 idle'
kill -KILL "$(proxy_pid)"
wait_until 60 eval 'armed && via_us'
check 'what was committed is there after the last' eval 'for ((i = 1; i <= kills; i++)); do is_hit $i && same dev1 $i || exit; done'
tarnd_stop
check 'tarnd ends with status 0' test "$tarnd_status" -eq 0
done_testing
