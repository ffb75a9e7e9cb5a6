#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 480
#
# tarnd and the real tarn-proxy together: hits on intercepted connections, everything that is not HTTP for the
# vendor, and fail open, each over IPv4 and IPv6. The box has an address of its own for its way to the vendor.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

PROXY=$BUILD/bin/tarn-proxy
unset FAKEPROXY_VENDORS
topology bridge
config 'lan = lan0' 'wan = wan0'
cat >>"$work/tarn.conf" <<-END
	size = 64M
	[dns]
	servers = 198.51.100.53
	probe_interval = 1s
END
ip -n "$(ns box)" link add br0 type bridge
addr box br0 10.7.0.5/24 2001:db8:7::5/64
ip -n "$(ns box)" link set br0 up
via box 10.7.0.1 2001:db8:7::1
head -c 3000000 /dev/urandom >"$work/files/object"
# Old enough to be fresh for a day (RFC 9111, 4.2.2).
touch -d '10 days ago' "$work/files/object"

tarnd_start
check 'tarnd arms interception' wait_until 20 armed || logs_show
known() { [[ $(status .vendors) -ge 2 ]]; }
check 'the proxy has told the addresses of the exact hosts' wait_until 10 known

v4=http://198.51.100.10 v6='http://[2001:db8:51::10]'
check 'IPv4 is intercepted' intercepted dev1 $v4/
check 'IPv6 is intercepted' intercepted dev1 "$v6/"
same_bytes() {
	in_ns "$1" curl -sS --max-time 10 -H 'Host: mirror.vendor.example' "$2/files/object" |
		cmp - "$work/files/object"
}
check 'an object comes whole' same_bytes dev1 $v4
check 'and again, from the cache' same_bytes dev2 "$v6"
hit() {
	in_ns dev1 curl -sS --max-time 10 -H 'Host: mirror.vendor.example' -D "$work/head" -o /dev/null \
		"$v4/files/object"
	cat "$work/head"
	grep -qi '^cache-status:.*hit' "$work/head"
}
check 'which says so' hit
foreign() {
	local answer
	answer=$(in_ns dev1 curl -sSi --max-time 5 -H 'Host: foreign.example' "$v4/")
	echo "$answer"
	[[ $answer == *DIRECT* && $answer != *$'\n'[Vv]ia:* ]]
}
check 'a foreign host on the same address is carried through' foreign

# A device behind a router in the LAN whose link to it is narrow: the ICMP errors about our packets go to the
# vendor's address and have to reach our stack.
space lr
space dev4
wire lr out0 switch q4
wire dev4 eth0 lr in0
ip -n "$(ns switch)" link set q4 master sw
forwards lr
addr lr out0 10.7.0.21/24 2001:db8:7::21/64
addr lr in0 10.17.0.1/24 2001:db8:17::1/64
addr dev4 eth0 10.17.0.2/24 2001:db8:17::2/64
via lr 10.7.0.1 2001:db8:7::1
via dev4 10.17.0.1 2001:db8:17::1
ip -n "$(ns lr)" link set in0 mtu 1300
icmp_steered() { [[ $(status .counters.icmp_steered) -gt $1 ]]; }
for url in "$v4" "$v6"; do
	icmp=$(status .counters.icmp_steered)
	check "a device behind a narrow link gets an object whole ($url)" same_bytes dev4 "$url"
	check 'because ICMP errors reach our stack' icmp_steered "$icmp"
done

powerless() {
	grep -E '^(Uid|Gid|Groups|Cap|NoNew|Seccomp)' "/proc/$1/status"
	! grep -qE '^[UG]id:.*\b0\b' "/proc/$1/status" &&
		[[ $(grep -cE '^Cap(Inh|Prm|Eff|Bnd|Amb):\s*0+$' "/proc/$1/status") == 5 ]] &&
		grep -qE '^NoNewPrivs:\s*1$' "/proc/$1/status"
}
check 'the data plane has no root id and no capability' powerless "$(proxy_pid)"

for to in 198.51.100.10 2001:db8:51::10; do
	knocks "$to" "9:$(proxy_pid)"
	fails_open "kill -9 of tarn-proxy ($to)"
	check 'it is started again' wait_until 20 armed
done
check 'what was stored is still there' hit

# A long download lives through the keeper's death and its successor's start.
long_download() {
	in_ns dev1 curl -sS --max-time 20 --limit-rate 1M -H 'Host: mirror.vendor.example' \
		-o "$work/long" "$1/files/object" &
	local curl=$!
	some_came() { [[ -s $work/long ]]; }
	wait_until 5 some_came
	kill -KILL "$tarnd"
	tarnd_start
	wait "$curl" && cmp "$work/long" "$work/files/object"
}
for url in "$v4" "$v6"; do
	long_download "$url" 2>"$work/long.log"
	check "a download in service outlives kill -9 of tarnd ($url)" test $? = 0
	rm -f "$work/long"
	check 'a new tarnd takes over what is there' wait_until 20 armed
done

for to in 198.51.100.10 2001:db8:51::10; do
	knocks "$to" "9:$tarnd"
	check "kill -9 of tarnd ($to): no connection fails" \
		holds '.before.failed + .in_service.failed + .after.failed == 0 and .after.n > 300'
	check "the first direct one begins within 10 ms" \
		holds '.first_direct_ms >= 0 and .first_direct_ms <= 10'
	tarnd_start
	check 'a new tarnd takes over what is there' wait_until 20 armed
done

for to in 198.51.100.10 2001:db8:51::10; do
	knocks "$to" "9:$tarnd,$(proxy_pid)"
	fails_open "kill -9 of both ($to)"
	tarnd_start
	check 'a new tarnd takes over what is there' wait_until 20 armed
done

for to in 198.51.100.10 2001:db8:51::10; do
	kills=$(status .proxy.hang_kills)
	knocks "$to" "19:$(proxy_pid)" -t 2000
	check "SIGSTOP ($to): none fails that begins 600 ms later" holds '.last_failed_ms < 600'
	check 'the first direct one begins within 600 ms' \
		holds '.first_direct_ms >= 0 and .first_direct_ms <= 600'
	check 'the keeper kills what hangs' wait_until 5 status_is .proxy.hang_kills $((kills + 1))
	check 'and starts it again' wait_until 20 armed
done

vendor_gone() {
	ip -n "$(ns router)" link set out0 down
	wait_until 30 status_is .armed false
}
check 'no upstream: not armed' vendor_gone
echo "# $(status .why_not_armed)"
ip -n "$(ns router)" link set out0 up
via_router_back() {
	ip -n "$(ns router)" addr replace 2001:db8:51::1/64 dev out0
	wait_until 30 armed
}
check 'upstream is back: armed' via_router_back

tarnd_stop
check 'tarnd ends with 0' test "$tarnd_status" = 0
check 'and the bridge of the owner goes on' direct dev1 $v4/

done_testing
