#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# What ends interception without a word - another qdisc or filter, a firewall's rule, a route or sysctl of somebody else's,
# an offload - is found within a minute, named, and shows as red; and what is harmless does not.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/probed.sh
. "$here/probed.sh"
command -v ethtool >/dev/null || skip_all 'ethtool is not here'

box() { in_ns box "$@"; }
text_is() { [[ $(status .selftest.text) == *"$1"* ]]; }
why_is() { [[ $(status .why_not_armed) == *"$1"* ]]; }
red() {
	ctl status >"$work/answer"
	[[ $? == 1 ]] && grep -q '^Because ' "$work/answer" && grep -q '^To do ' "$work/answer" && return
	sed 's/^/# /' "$work/answer"
	return 1
}
# cut FAULT WHAT: as found, and nobody waits for it.
cut() {
	found "$1" "$2"
	check '... nothing is intercepted meanwhile' wait_until 5 status_is .armed false
	check '... a device reaches the vendor' direct dev1 $url
}
# passes FAULT WHAT: as found; devices pass by themselves.
passes() {
	found "$1" "$2"
	check '... a device reaches the vendor' direct dev1 $url
}

tarnd_start
check 'it runs by itself' wait_until 20 status_is '"\(.selftest.state) \(.selftest.ways)"' 'ok 2' || logs_show
check 'a connection is intercepted' wait_until 5 intercepted dev1 $url

# ---- other filters and qdiscs -------------------------------------------------------------------

clang=$(command -v clang-14 || command -v clang)
if [[ -n $clang ]]; then
	for what in pass=0 drop=2 next=-1; do
		cat >"$work/foreign.c" <<-END
			__attribute__((section("classifier"), used)) int foreign(void *context) { return ${what#*=}; }
			char licence_of[] __attribute__((section("license"), used)) = "GPL";
		END
		"$clang" -O2 -g -target bpf -c "$work/foreign.c" -o "$work/${what%=*}.o"
	done
	# filter PORT SIDE VERDICT [OPTION...]: somebody's.
	filter() { box tc filter add dev "$1" "$2" "${@:4}" bpf da obj "$work/$3.o" sec classifier; }
	for at in 'lan0 ingress' 'icpt0 egress'; do
		read -r port side <<<"$at"
		filter "$port" "$side" next pref 1 handle 2
		check "$port: a filter that is asked before ours is named" wait_until 5 why_is "$port: a tc filter (bpf 0x2) stands before ours"
		check '... and red' red
		box tc filter del dev "$port" "$side" pref 1 handle 2 bpf
		gone
	done
	filter lan0 ingress pass pref 1 handle 2
	passes unseen 'a filter before ours that lets all pass'
	box tc filter del dev lan0 ingress pref 1 handle 2 bpf
	gone
	filter lan0 ingress drop pref 2
	check 'a filter behind ours that drops is none of our business' wait_until 5 intercepted dev1 $url
	box tc filter del dev lan0 ingress pref 2 bpf
	filter icpt0 ingress drop pref 1
	cut lost 'a filter at icpt0'
	box tc filter del dev icpt0 ingress pref 1 bpf
	gone
	# Somebody's setup script in the moment after it took our qdisc away: our place is taken.
	box tc qdisc del dev lan0 clsact
	box tc qdisc add dev lan0 clsact
	if filter lan0 ingress next pref 1 handle 1 2>/dev/null; then
		passes unseen "another's filter in our place"
		check '... and the port is named' wait_until 5 why_is 'lan0: our program is gone, its place is taken'
		box tc filter del dev lan0 ingress pref 1 handle 1 bpf
	fi
	gone
else
	skip 'other filters' 'clang is not here'
fi
box sh -c 'tc qdisc del dev lan0 clsact; tc qdisc add dev lan0 ingress'
check 'an ingress qdisc in place of ours: ours goes into it' wait_until 10 intercepted dev1 $url
box tc qdisc del dev lan0 ingress
check '... and it goes, too' wait_until 10 intercepted dev1 $url
gone
box sh -c 'tc qdisc del dev icpt0 clsact; tc qdisc add dev icpt0 ingress'
check 'an ingress qdisc in place of ours at icpt0, which has no place for ours: named' wait_until 5 why_is 'icpt0: our program is gone, its place is taken'
check '... and red' red
check '... a device reaches the vendor' direct dev1 $url
box tc qdisc del dev icpt0 ingress
gone

# ---- firewalls ----------------------------------------------------------------------------------

# wall FAULT WHAT NFT-TABLE
wall() {
	box nft -f - <<<"$3"
	cut "$1" "$2"
	[[ -z ${4:-} ]] || check '... the text says which' text_is "$4"
	box nft flush ruleset
	gone
}
wall lost 'a firewall before routing' 'table inet wall { chain in { type filter hook prerouting priority -300; tcp dport 80 iifname "icpt0" drop; }; }'
wall lost 'a firewall that takes what it does not know' 'table inet wall { chain in { type filter hook input priority 0; policy drop; ct state established accept; iifname "lo" accept; }; }'
wall lost 'one at the device' 'table netdev wall { chain in { type filter hook ingress device icpt0 priority 0; drop; }; }'
wall lost 'one that takes all but the first packet' 'table inet wall { chain in { type filter hook input priority 0; iifname "icpt0" tcp flags & syn == 0 drop; }; }' 'just the first packet'
wall unanswered 'one for what leaves' 'table inet wall { chain out { type filter hook output priority 0; oifname "icpt0" drop; }; }'
wall unanswered 'one after routing' 'table inet wall { chain out { type filter hook postrouting priority 0; meta mark 0x5441524e drop; }; }'

# ---- what is ours, and somebody else changed -----------------------------------------------------

rule=$(ip -n "$(ns box)" rule show | grep -m1 'iif icpt')
read -r _ _ _ _ iif _ table _ <<<"$rule"
ip -n "$(ns box)" rule del pref "${rule%%:*}"
cut lost 'a rule that is gone'
ip -n "$(ns box)" rule add pref "${rule%%:*}" iif "$iif" lookup "$table" protocol 84
gone
box sysctl -qw net.ipv4.conf.icpt0.src_valid_mark=0 net.ipv4.conf.all.src_valid_mark=0 net.ipv4.conf.icpt0.rp_filter=1
cut lost 'a reverse-path check'
box sysctl -qw net.ipv4.conf.icpt0.src_valid_mark=1
gone
ip -n "$(ns box)" link set icpt0 down
cut lost 'an intercept device that is down'
tarnd_stop
tarnd_start
check '... tarnd started again puts it right' wait_until 20 intercepted dev1 $url

# ---- offloads -----------------------------------------------------------------------------------

head -c 3000000 /dev/urandom >"$work/files/big.dat"
same() { in_ns dev1 curl -sS --max-time 20 -H 'Host: mirror.vendor.example' http://198.51.100.10/files/big.dat | cmp - "$work/files/big.dat"; }
tried=0
for port in lan0 wan0 icpt0; do
	for feature in tx rx gro gso tso sg rxvlan txvlan; do
		for value in on off; do
			box ethtool -K "$port" "$feature" "$value" >/dev/null 2>&1 || continue
			tried=$((tried + 1))
			intercepted dev1 $url >/dev/null && same || echo "# $port $feature $value" >>"$work/bad"
		done
		box ethtool -K "$port" "$feature" on >/dev/null 2>&1
	done
done
check "no offload that can be switched here ($tried) does harm" test ! -e "$work/bad" -a $tried -gt 20 || cat "$work/bad"
check '... and the selftest is well' well

# What the selftest can't see, as nothing of it is on a cable: answers that are lost at the devices' port.
# Of IPv4 from port 80, what has passed no router is the box's own.
if [[ -n $clang ]]; then
	cat >"$work/foreign.c" <<-END
		__attribute__((section("classifier"), used)) int foreign(unsigned *context)
		{
			unsigned char *p = (void *)(unsigned long)context[19], *end = (void *)(unsigned long)context[20];

			return p + 36 <= end && p[12] == 8 && p[13] == 0 && p[22] == 64 && p[34] == 0 && p[35] == 80 ? 2 : -1;
		}
		char licence_of[] __attribute__((section("license"), used)) = "GPL";
	END
	"$clang" -O2 -g -target bpf -c "$work/foreign.c" -o "$work/lose.o"
	filter lan0 egress lose
	knock() { # until it is named
		direct dev1 "$url" --max-time 8
		why_is 'what we answer does not reach devices'
	}
	check 'answers that a port loses are found, and named' wait_until 40 knock || status .why_not_armed
	check '... the status is red' red
	check '... a device reaches the vendor' direct dev1 $url
	box tc filter del dev lan0 egress
	check '... mended: tried again, and armed' wait_until 30 intercepted dev1 $url
else
	skip 'answers that a port loses' 'clang is not here'
fi
tarnd_stop
check 'tarnd ends well' test "$tarnd_status" = 0
done_testing
