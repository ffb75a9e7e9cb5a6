#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 240
#
# Two boxes in line, neither of which knows of the other:
#
#   dev1, dev2 ── switch ── lan0 [ box 10.7.0.5 ] wan0 ── lan0 [ box2 10.7.0.6 ] wan0 ── router ── vendor
#
# What the first asks the vendor for, the second takes over as it would a device's: the vendor sends each object once.
# Either may die, or both.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

PROXY=$BUILD/bin/tarn-proxy
topology bridge
space box2
ip -n "$(ns box)" link del wan0
wire box wan0 box2 lan0
wire box2 wan0 router in0
addr router in0 10.7.0.1/24 2001:db8:7::1/64
for i in {1..12}; do head -c 200000 /dev/urandom >"$work/files/$i"; done
# Old enough to be fresh for a day (RFC 9111, 4.2.2).
touch -d '10 days ago' "$work"/files/*

# of BOX COMMAND [ARGUMENT]...: with that box's files.
of() { work=$work/$1 "${@:2}"; }
declare -A keepers=()
box_start() { # BOX
	ip netns exec "$(ns "$1")" "$BUILD/bin/tarnd" --config "$work/$1/tarn.conf" 2>>"$work/$1/tarnd.log" &
	keepers[$1]=$!
	children+=($!)
}
box_make() { # BOX NUMBER
	mkdir -m 755 "$work/$1"
	of "$1" config 'lan = lan0' 'wan = wan0'
	# No kept-alive connection that was made while the other box was away goes on past it.
	printf 'size = 64M\n[upstream]\npool_max_idle = 0\n[dns]\nservers = 198.51.100.53\nprobe_interval = 1s\n' >>"$work/$1/tarn.conf"
	ip -n "$(ns "$1")" link add br0 type bridge
	addr "$1" br0 "10.7.0.$2/24" "2001:db8:7::$2/64"
	ip -n "$(ns "$1")" link set br0 up
	via "$1" 10.7.0.1 2001:db8:7::1
	box_start "$1"
}
api() { curl -sf --max-time 5 --unix-socket "$work/$1/proxy.sock" "http://tarn/api/v1/$2"; }
is_ready() { of "$1" armed && (($(of "$1" status .vendors) >= 2)); }
box_make box 5
box_make box2 6
check 'the first arms interception' wait_until 30 is_ready box || sed 's/^/# /' "$work/box/tarnd.log"
check 'the second, too' wait_until 30 is_ready box2 || sed 's/^/# /' "$work/box2/tarnd.log"
one=$(api box status | jq -r .pseudonym) two=$(api box2 status | jq -r .pseudonym)

url=http://198.51.100.10 six='http://[2001:db8:51::10]'
# has DEVICE OBJECT [CURL OPTION]...: it comes whole; its head is in $work/head-DEVICE.
has() {
	in_ns "$1" curl -sS --noproxy '*' --max-time 20 -H 'Host: mirror.vendor.example' -D "$work/head-$1" \
		"${@:3}" "$url/files/$2" | cmp - "$work/files/$2"
}
# passed [NAME]...: these are in the Via of what dev1 got last, and no other of the two.
passed() {
	local name via
	via=$(grep -i '^via:' "$work/head-dev1")
	echo "via: $via"
	for name in "$one" "$two"; do
		if [[ " $* " == *" $name "* ]]; then [[ $via == *$name* ]] || return 1; else [[ $via != *$name* ]] || return 1; fi
	done
}
# sent: how often the vendor was asked for an object.
sent() { grep -c 'GET /files/[0-9]' "$work/files.log"; }

check 'a device gets an object' has dev1 1
check '... through both' passed "$one" "$two"
both_get() {
	local i other bad=0
	for i in {2..9}; do
		has dev2 "$i" &
		other=$!
		has dev1 "$i" || bad=$((bad + 1))
		wait "$other" || bad=$((bad + 1))
	done
	url=$six
	has dev1 10 && has dev2 10 && ((bad == 0))
}
check 'two devices get nine more, at once, and over IPv6' both_get
sent_is() { [[ $(sent) == "$1" ]] || { cat "$work/files.log"; return 1; }; }
check 'the vendor has sent each once' sent_is 10
asks_second() { api box2 devices | jq -r '.devices[].device' | sort -u | tr '\n' ' '; }
first_alone_asks() { [[ $(asks_second) =~ ^('10.7.0.5 ')?('2001:db8:7::5 ')?$ && -n $(asks_second) ]]; }
check '... and who asks the second box is the first, no device' wait_until 10 first_alone_asks || asks_second

# A request that has been here already is not taken again, but passed on; that it has been at the other one is nothing.
check 'what the first has sent itself passes it by' has dev1 1 -H "Via: 1.1 $one"
check '... and is taken over by the second' passed "$two"
check 'what both have sent goes straight' has dev1 1 -H "Via: 1.1 $one, 1.1 $two"
check '... through neither' passed
check 'what the second has sent is taken over by the first' has dev1 1 -H "Via: 1.1 $two"
check '... which had it from the second' passed "$one" "$two"

# ---- deaths --------------------------------------------------------------------------------------

# Both programs of a box, so that nobody starts it again.
box_kill() {
	kill -KILL "${keepers[$1]}" "$(of "$1" proxy_pid)"
	wait "${keepers[$1]}" 2>/dev/null
}
box_kill box2
check 'the second dies: what the first lacks comes straight from the vendor' has dev1 11
check '... through the first alone' passed "$one"
box_start box2
check 'the second comes back' wait_until 30 is_ready box2
# Killed within its first second it may not have kept its name.
two=$(api box2 status | jq -r .pseudonym)
check '... and is asked again' has dev1 12
check '... really' passed "$one" "$two"

box_kill box
check 'the first dies: a device is served all the same' has dev1 1
check '... by the second' passed "$two"
box_kill box2
check 'both are dead: straight' direct dev1 "$url/"
check '... over IPv6, too' direct dev1 "$six/"
done_testing
