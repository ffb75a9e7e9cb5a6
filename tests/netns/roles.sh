#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# tarnd finds out by itself which port leads to the router; and what killed keepers leave is cleaned up.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

topology bridge
role_is() { status_is ".ports[] | select(.name == \"$1\").role" "$2"; }
all_is_found() { role_is lan0 lan && role_is wan0 wan && armed; }

# By one name of two.
config 'lan = lan0'
tarnd_start
check 'one port named: the other is the WAN' wait_until 10 all_is_found
tarnd_stop

# By what is heard: no address, nothing named.
config
tarnd_start
check 'nothing named: the data plane runs' wait_until 10 status_is .proxy.ready true
check 'not armed, and we say why' wait_until 5 status_is .why_not_armed \
	'which port leads to the router is not known yet'
check 'it is a bridge meanwhile' direct dev1 http://198.51.100.10/
check 'a device asks a resolver' ask dev1 other.example a
check 'the answer shows the WAN port' wait_until 5 all_is_found
check 'and connections are intercepted' intercepted dev1 http://198.51.100.10/
kill -KILL "$tarnd"
wait "$tarnd" 2>/dev/null || :

# By the default route of the bridge that the killed one left.
addr box br0 10.7.0.5/24
ip -n "$(ns box)" route add default via 10.7.0.1 dev br0
in_ns box bash -c 'exec 3<>/dev/tcp/198.51.100.10/80'
tarnd_start
check 'the next one finds the WAN port by the default route' wait_until 10 all_is_found
check 'and intercepts' intercepted dev1 http://198.51.100.10/
check 'while the box itself goes out directly' direct box http://198.51.100.10/

# Cables are swapped while it runs; no link of the box goes down.
cables_swap() {
	local router_mac switch_mac
	router_mac=$(in_ns router cat /sys/class/net/in0/address)
	switch_mac=$(in_ns switch cat /sys/class/net/uplink/address)
	ip -n "$(ns switch)" link set uplink netns "$(ns router)"
	ip -n "$(ns router)" link set in0 netns "$(ns switch)"
	ip -n "$(ns switch)" link set in0 name uplink address "$switch_mac"
	ip -n "$(ns switch)" link set uplink up master sw
	ip -n "$(ns router)" link set uplink name in0 address "$router_mac"
	ip -n "$(ns router)" link set in0 up
	addr router in0 10.7.0.1/24 2001:db8:7::1/64
}
# The box speaks, too, as tarn-proxy would: else the system forgets the router's address.
passes() { in_ns box bash -c 'exec 3<>/dev/tcp/198.51.100.10/80' && in_ns dev1 curl -sSf --max-time 3 -o /dev/null http://198.51.100.10/; }
cables_swap
check 'cables swapped: devices get through' wait_until 10 passes
check 'the port of the router is the other one' wait_until 15 eval 'passes; role_is lan0 wan && role_is wan0 lan && armed'
check 'and connections are intercepted' wait_until 10 intercepted dev1 http://198.51.100.10/
cables_swap
check 'and back' wait_until 15 eval 'passes; all_is_found'
check 'they are' wait_until 10 intercepted dev1 http://198.51.100.10/

# Killed and gone for good, then one that comes only to clean up.
pid=$(proxy_pid)
kill -KILL "$tarnd" "$pid"
wait "$tarnd" 2>/dev/null || :
check 'the bridge of the killed keeper goes on' direct dev1 http://198.51.100.10/
tarnd_start
check 'another one arms' wait_until 10 armed
tarnd_stop
left() {
	in_ns box ip link | grep -E 'br0|icpt' && return 1
	in_ns box ip rule | grep -E 'icpt|fwmark' && return 1
	in_ns box ip -6 rule | grep -E 'icpt|fwmark' && return 1
	in_ns box tc qdisc | grep clsact && return 1
	[[ -z $(in_ns box ip route show table 100)$(in_ns box ip route show table 200) ]]
}
check 'it removed also what the killed ones had made' left

# A bridge of the owner's is used and left alone.
ip -n "$(ns box)" link add br0 type bridge
ip -n "$(ns box)" link set br0 up
ip -n "$(ns box)" link set lan0 master br0
ip -n "$(ns box)" link set wan0 master br0
config 'wan = wan0'
tarnd_start
check "the owner's bridge is taken over" wait_until 10 all_is_found
check 'intercepted' intercepted dev1 http://198.51.100.10/
tarnd_stop
check 'and stays, with its ports' test "$(in_ns box ip -o link show master br0 | wc -l)" = 2
check 'traffic flows on' direct dev1 http://198.51.100.10/

# A stranger's icpt0 is not touched.
ip -n "$(ns box)" link add icpt0 type veth peer name x1
refused() {
	in_ns box "$BUILD/bin/tarnd" --config "$work/tarn.conf" 2>"$work/refused"
	[[ $? == 78 ]] && grep -q 'icpt0 is there' "$work/refused"
}
check "a stranger's icpt0 is refused" refused
check 'and left' in_ns box ip link show x1

done_testing
