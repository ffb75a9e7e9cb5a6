# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The demo's branch office and what lies beyond its line, as network namespaces. Sourced by ./run.
#
#                      sw                   box                   rt                  isp (one wire)
#   pc1 ─ eth0 ─ p1 ┐                                                           ┌ eth0 ─ vendor  nginx
#   pc2 ─ eth0 ─ p2 ┼ hub0 ─ trunk ─ lan0 TARN wan0 ─ lan0 router wan0 ─ hub0 ──┼ eth0 ─ dns     dnsmasq, the system's
#   pc3 ─ eth0 ─ p3 ┘                                                 ▲         └ eth0 ─ pubdns  dnsmasq, a public one
#       192.168.7.11 .12 .13   br0 192.168.7.2    192.168.7.1         │
#       2001:db8:7::11 ...     2001:db8:7::2      2001:db8:7::1       the thin line, shaped by tbf both ways
#
#   vendor 203.0.113.10, .11 (two mirrors) and .20 (APT), 2001:db8:100::10, ::11, ::20
#   dns 198.51.100.53 · pubdns 192.0.2.53 · nothing leads out of here

PREFIX=tarn-demo-$$
PCS=(pc1 pc2 pc3)
ALL_NS=("${PCS[@]}" sw box rt isp vendor dns pubdns)

ns() { # NAME COMMAND...: run in a namespace
	local name=$1
	shift
	ip netns exec "$PREFIX-$name" "$@"
}

wire() { # NS_A DEV_A NS_B DEV_B: a cable
	ip -n "$PREFIX-$1" link add "$2" type veth peer name "$4" netns "$PREFIX-$3"
	ip -n "$PREFIX-$1" link set "$2" up
	ip -n "$PREFIX-$3" link set "$4" up
}

address() { # NS DEV ADDRESS...
	local name=$1 dev=$2 a
	shift 2
	for a; do
		case $a in
		*:*) ip -n "$PREFIX-$name" addr add "$a" dev "$dev" nodad ;;
		*) ip -n "$PREFIX-$name" addr add "$a" dev "$dev" ;;
		esac
	done
}

gateway() { # NS IPV4 IPV6
	ip -n "$PREFIX-$1" route add default via "$2"
	ip -n "$PREFIX-$1" -6 route add default via "$3"
}

bridge() { # NS NAME PORT...
	local name=$1 br=$2 port
	shift 2
	ip -n "$PREFIX-$name" link add "$br" type bridge forward_delay 0 stp_state 0
	for port; do ip -n "$PREFIX-$name" link set "$port" master "$br"; done
	ip -n "$PREFIX-$name" link set "$br" up
}

shape() { # NS DEV: what leaves here is as slow as the line
	ip netns exec "$PREFIX-$1" tc qdisc add dev "$2" root tbf rate "${LINE_MBIT}mbit" burst 64k latency 60ms
}

resolvers() { # NS ADDRESS...: /etc/resolv.conf as seen by `ns`
	mkdir -p "/etc/netns/$PREFIX-$1"
	printf 'options timeout:1 attempts:1\n' >"/etc/netns/$PREFIX-$1/resolv.conf"
	printf 'nameserver %s\n' "${@:2}" >>"/etc/netns/$PREFIX-$1/resolv.conf"
}

topology_up() {
	local n i=0
	for n in "${ALL_NS[@]}"; do
		ip netns add "$PREFIX-$n"
		ip -n "$PREFIX-$n" link set lo up
	done
	for n in "${PCS[@]}"; do
		i=$((i + 1))
		wire "$n" eth0 sw "p$i"
		address "$n" eth0 "192.168.7.1$i/24" "2001:db8:7::1$i/64"
		gateway "$n" 192.168.7.1 2001:db8:7::1
		# As the vendor's products do: the system's DNS first, then a public one.
		resolvers "$n" 198.51.100.53 192.0.2.53
	done
	wire sw trunk box lan0
	wire box wan0 rt lan0
	wire rt wan0 isp rt
	for n in vendor dns pubdns; do wire "$n" eth0 isp "$n"; done
	bridge sw hub0 p1 p2 p3 trunk
	bridge isp hub0 rt vendor dns pubdns

	address rt lan0 192.168.7.1/24 2001:db8:7::1/64
	address rt wan0 203.0.113.1/24 198.51.100.1/24 192.0.2.1/24 2001:db8:100::1/64
	ns rt sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	address vendor eth0 203.0.113.{10,11,20}/24 2001:db8:100::{10,11,20}/64
	gateway vendor 203.0.113.1 2001:db8:100::1
	address dns eth0 198.51.100.53/24
	ip -n "$PREFIX-dns" route add default via 198.51.100.1
	address pubdns eth0 192.0.2.53/24
	ip -n "$PREFIX-pubdns" route add default via 192.0.2.1
	resolvers box 198.51.100.53
	shape isp rt
	shape rt wan0

	# The box as it is before tarnd runs: a plain bridge, as good as a cable.
	bridge box br0 lan0 wan0
	address box br0 192.168.7.2/24 2001:db8:7::2/64
	gateway box 192.168.7.1 2001:db8:7::1
}

topology_down() {
	local n
	for n in "${ALL_NS[@]}"; do
		ip netns del "$PREFIX-$n" 2>/dev/null
		rm -rf "/etc/netns/$PREFIX-$n"
	done
	rmdir /etc/netns 2>/dev/null
	return 0
}

line_bytes() { # what came over the line so far, by the router's own counter
	ns rt cat /sys/class/net/wan0/statistics/rx_bytes
}

device_bytes() { # what all devices received so far, by their own counters
	local n sum=0
	for n in "${PCS[@]}"; do
		sum=$((sum + $(ns "$n" cat /sys/class/net/eth0/statistics/rx_bytes)))
	done
	echo "$sum"
}
