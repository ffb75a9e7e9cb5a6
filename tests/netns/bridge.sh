#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# Interception in bridge mode, with the fake data plane: who is intercepted, who is not, and what is left.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

topology bridge
config 'lan = lan0' 'wan = wan0'

# What the network of the box looks like, without what changes by itself.
picture() {
	in_ns box ip -d addr | sed 's/ state [A-Z]*//; s/valid_lft.*//'
	in_ns box ip rule
	in_ns box ip -6 rule
	in_ns box ip route show table all
	in_ns box ip -6 route show table all
	in_ns box tc qdisc
	in_ns box tc filter show dev lan0 ingress
}
picture >"$work/before"
same_as_before() { picture | diff "$work/before" -; }

tarnd_start
check 'tarnd arms interception' wait_until 10 armed || logs_show

check 'IPv4 port 80 is intercepted' intercepted dev1 http://198.51.100.10/
check 'IPv4 port 443 is intercepted' intercepted dev1 http://198.51.100.10:443/
check 'IPv6 port 80 is intercepted' intercepted dev1 'http://[2001:db8:51::10]/'
check 'IPv6 port 443 is intercepted' intercepted dev1 'http://[2001:db8:51::10]:443/'
check 'another device, too' intercepted dev2 http://198.51.100.10/
check 'another port of a vendor passes' direct dev1 http://198.51.100.10:8080/
check 'another address passes' direct dev1 http://198.51.100.20/

addresses_kept() {
	local answer
	answer=$(get dev1 "$1")
	echo "$answer"
	[[ $answer == *"ICPT to=$2 from=$3",* ]]
}
check 'the data plane sees both IPv4 addresses' addresses_kept http://198.51.100.10/ \
	198.51.100.10,80 10.7.0.11
check 'the data plane sees both IPv6 addresses' addresses_kept 'http://[2001:db8:51::10]/' \
	2001:db8:51::10,80 2001:db8:7::11

# What a switch would keep to itself (802.1X here) crosses the box as it would a cable. Sent behind the switch, which
# is a kernel's bridge, too.
crosses() {
	local sender
	ip netns exec "$(ns switch)" "$tools/frame" send uplink 01:80:c2:00:00:03 888e &
	sender=$!
	in_ns router "$tools/frame" await in0 888e 5
	local rc=$?
	kill "$sender"
	wait "$sender" 2>/dev/null
	return "$rc"
}
check '802.1X frames pass' crosses

# Tagged VLAN: only the box understands dev3's tag, everyone else drops it.
in_ns dev3 "$tools/tagger" eth0 7
addr dev3 eth0 10.7.0.13/24 2001:db8:7::13/64
via dev3 10.7.0.1 2001:db8:7::1
mac=$(in_ns router cat /sys/class/net/in0/address)
ip -n "$(ns dev3)" neigh add 10.7.0.1 lladdr "$mac" dev eth0
ip -n "$(ns dev3)" neigh add 2001:db8:7::1 lladdr "$mac" dev eth0
check 'the tagged device can not reach the untagged router: its tag is real' \
	tap_not get dev3 http://198.51.100.10:8080/ --max-time 3
check 'a tagged device is intercepted over IPv4' intercepted dev3 http://198.51.100.10/
check 'a tagged device is intercepted over IPv6' intercepted dev3 'http://[2001:db8:51::10]/'

# DNS answers as they pass.
check 'an address is not intercepted before its name was asked' direct dev1 http://198.51.100.30/
check 'dev1 asks for an alias of the vendor' ask dev1 alias.vendor.example a
check 'the address behind the CNAME is intercepted at once' intercepted dev1 http://198.51.100.30/
check 'the data plane hears of it' wait_until 5 grep -q 'seen=::ffff:198.51.100.30' "$work/tarnd.log"
check 'dev1 asks for a name that is never intercepted' ask dev1 secret.vendor.example a
check 'its address passes' direct dev1 http://198.51.100.20/
check 'dev1 asks for a foreign name' ask dev1 other.example a
check 'its address passes, too' direct dev1 http://198.51.100.20/
check 'the never-name was counted' status_is .counters.dns_never 1

# Nobody reaches the listeners but through interception.
addr box br0 10.7.0.5/24
listeners_shut() {
	local port
	for port in $(in_ns box ss -Hltn | awk '{ sub(/.*:/, "", $4); print $4 }' | sort -u); do
		! in_ns dev1 timeout 1 bash -c "exec 3<>/dev/tcp/10.7.0.5/$port" || return 1
	done
}
check 'the listeners answer nobody directly' listeners_shut
ip -n "$(ns box)" addr del 10.7.0.5/24 dev br0

# Every handshake by a SYN cookie: the ACK finds no socket and must be steered all the same.
in_ns box sysctl -qw net.ipv4.tcp_syncookies=2
check 'SYN cookies over IPv4' intercepted dev1 http://198.51.100.10/
check 'SYN cookies over IPv6' intercepted dev1 'http://[2001:db8:51::10]/'
in_ns box sysctl -qw net.ipv4.tcp_syncookies=1

# Privileges.
powerless() {
	local pid=$1
	grep -E '^(Uid|Gid|Groups|Cap|NoNew)' "/proc/$pid/status"
	! grep -qE '^[UG]id:.*\b0\b' "/proc/$pid/status" &&
		[[ $(grep -cE '^Cap(Inh|Prm|Eff|Bnd|Amb):\s*0+$' "/proc/$pid/status") == 5 ]] &&
		grep -qE '^Groups:\s*$' "/proc/$pid/status" &&
		grep -qE '^NoNewPrivs:\s*1$' "/proc/$pid/status"
}
check 'the data plane has no root id, no group, no capability, no new privileges' \
	powerless "$(proxy_pid)"
only_heritage() {
	local fd
	for fd in "/proc/$1/fd/"*; do
		fd=${fd##*/}
		[[ $fd -le 7 || $fd -eq 16 || $fd -eq 17 || $(readlink "/proc/$1/fd/$fd") == *eventpoll* ]] ||
			{ ls -l "/proc/$1/fd"; return 1; }
	done
}
check 'it inherited nothing but its heritage' only_heritage "$(proxy_pid)"

second_refused() {
	in_ns box timeout 10 "$BUILD/bin/tarnd" --config "$work/tarn.conf" 2>&1
	[[ $? == 75 ]] && intercepted dev1 http://198.51.100.10/
}
check 'a second tarnd is refused and disturbs nothing' second_refused

# Reload.
hup_kept() {
	local pid
	pid=$(proxy_pid)
	echo 'nonsense = 1' >>"$work/tarn.conf"
	kill -HUP "$tarnd"
	wait_until 5 grep -q 'event=keeper.reload kept=old' "$work/tarnd.log" &&
		intercepted dev1 http://198.51.100.10/ && [[ $(proxy_pid) == "$pid" ]]
}
check 'a wrong file at reload changes nothing' hup_kept
config 'lan = lan0' 'wan = wan0' 'quic = drop'
hup_taken() {
	kill -HUP "$tarnd"
	wait_until 5 grep -q 'event=keeper.reload taken=yes' "$work/tarnd.log" && armed
}
check 'a good one is taken' hup_taken

# Who is intercepted, changed under a connection that a device holds open.
taken() { grep -c 'event=keeper.reload taken=yes' "$work/tarnd.log"; }
taken_is() { [[ $(taken) == "$1" ]]; }
# scope LINE...: what stands in [scope] from now on.
scope() {
	local before
	before=$(taken)
	config 'lan = lan0' 'wan = wan0'
	printf '[scope]\n' >>"$work/tarn.conf"
	printf '%s\n' "$@" >>"$work/tarn.conf"
	kill -HUP "$tarnd"
	wait_until 5 taken_is $((before + 1))
}
# The VLAN's router knows no tags, so who goes straight there reaches nobody: counted, and not answered by us.
straight_in_vlan() {
	local before
	before=$(status .counters.pass_scope)
	! get dev3 "$1" --max-time 2 && (($(status .counters.pass_scope) > before))
}
mac_of() { in_ns "$1" cat /sys/class/net/eth0/address; }
mkfifo "$work/go"
# shellcheck disable=SC2016 # the device's own shell expands it
in_ns dev1 timeout 120 bash -c 'exec 3<>/dev/tcp/198.51.100.10/80 || exit
	echo held >"$1.held"
	read -r <"$1"
	printf "GET / HTTP/1.0\r\nHost: mirror.vendor.example\r\n\r\n" >&3
	cat <&3 >"$1.answer"' - "$work/go" &
held=$!
children+=("$held")
check 'a device holds a connection open' wait_until 10 test -s "$work/go.held"
check 'subnets of both families go straight from now on' scope 'straight = 10.7.0.8/30 2001:db8:7::11'
check 'so does this device' direct dev1 http://198.51.100.10/
check 'over IPv6, too' direct dev1 'http://[2001:db8:51::10]/'
check 'others do not' intercepted dev2 http://198.51.100.10/
check 'the one in a VLAN does not' intercepted dev3 'http://[2001:db8:51::10]/'
echo >"$work/go"
wait "$held"
check 'the connection from before is still ours' grep -q '^[Vv]ia:' "$work/go.answer"
check 'only a VLAN and a device by its MAC address' scope 'intercept = vlan:7' "intercept = $(mac_of dev2)"
check 'the one in that VLAN is intercepted' intercepted dev3 http://198.51.100.10/
check 'and that device, by IPv4' intercepted dev2 http://198.51.100.10/
check 'and by IPv6' intercepted dev2 'http://[2001:db8:51::10]/'
check 'and nobody else' direct dev1 http://198.51.100.10/
check 'all but that VLAN' scope 'straight = vlan:7' 'straight = 203.0.113.0/24'
check 'who is in it goes straight' straight_in_vlan http://198.51.100.10/
check 'who is not does not' intercepted dev1 http://198.51.100.10/
check 'without [scope] everybody is intercepted again' scope ''
check 'also in the VLAN' intercepted dev3 http://198.51.100.10/

# The end.
tarnd_stop
check 'tarnd ends with 0' test "$tarnd_status" = 0
check 'traffic is not intercepted any more' tap_not get dev1 http://198.51.100.10/ --max-time 3
check 'nothing is left of it' same_as_before
check 'its sockets are gone' test ! -e "$work/keeper.sock" -a ! -e "$work/proxy.sock"

# Wrong configuration.
refused() {
	local status
	in_ns box "$BUILD/bin/tarnd" --config "$work/tarn.conf" "${@:2}" 2>"$work/refused"
	status=$?
	echo "status $status"
	cat "$work/refused"
	[[ $status == 78 ]] && grep -q "$1" "$work/refused"
}
config 'lan = lan0' 'wan = wan0' 'mode = bridges'
check 'a wrong value is refused with file and line' refused 'tarn.conf:4: .*mode.*gateway'
config 'lan = lan7' 'wan = wan0'
check 'a port that is not there is refused' refused "no interface 'lan7'"
check 'also by --check' refused "no interface 'lan7'" --check
config 'lan = lan0' 'wan = lan0'
check 'a port that is named twice is refused' refused 'lan0'
check 'none of them touched the network' same_as_before

done_testing
