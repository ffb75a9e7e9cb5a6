#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# Interception broken from outside while tarnd runs: what can be put back is, what can't is named, shows as not armed,
# and devices go straight to the vendor.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

topology bridge
config 'lan = lan0' 'wan = wan0'
tarnd_start
check 'tarnd arms interception' wait_until 10 armed || logs_show
url=http://198.51.100.10/
check 'a connection is intercepted' wait_until 5 intercepted dev1 $url

why_is() { [[ $(status .why_not_armed) == *"$1"* ]]; }
mended() { grep -c 'keeper.way.*mended' "$work/tarnd.log"; }
mended_over() { (($(mended) > $1)); }

for what in 'filter del dev lan0 ingress' 'qdisc del dev lan0 clsact' 'qdisc del dev icpt0 clsact'; do
	before=$(mended)
	# shellcheck disable=SC2086 # words
	in_ns box tc $what
	check "tc $what: put back" wait_until 5 mended_over "$before"
	check 'and a connection is intercepted' wait_until 5 intercepted dev1 $url
done

# A program in front of ours sees the packets first, and may take them.
if command -v clang >/dev/null; then
	cat >"$work/pass.c" <<-END
		__attribute__((section("xdp"), used)) int pass(void *context) { return 2; }
		char licence_of[] __attribute__((section("license"), used)) = "GPL";
	END
	clang -O2 -g -target bpf -c "$work/pass.c" -o "$work/pass.o"
	in_ns box ip link set dev lan0 xdpgeneric obj "$work/pass.o" sec xdp
	check 'an XDP program before ours is named' wait_until 5 why_is 'lan0: an XDP program'
	check 'the state is red' status_is .armed false
	check 'a device reaches the vendor' direct dev1 $url
	in_ns box ip link set dev lan0 xdpgeneric off
	check 'gone: armed again' wait_until 5 armed
else
	skip 'an XDP program before ours is named' 'clang is not here'
fi

# The way from the steering program to our stack is cut, as a firewall's rule would: devices would wait in vain.
rule=$(ip -n "$(ns box)" rule show | grep -m1 'iif icpt')
echo "# $rule"
pref=${rule%%:*}
in_ns box ip rule del pref "$pref"
tries() { # until it is named
	direct dev1 "$url" --max-time 5
	why_is 'does not reach our stack'
}
check 'what is steered and does not arrive is named' wait_until 20 tries
check 'the state is red' status_is .armed false
check 'a device reaches the vendor' direct dev1 $url
read -r _ _ _ _ iif _ table _ <<<"$rule"
in_ns box ip rule add pref "$pref" iif "$iif" lookup "$table" protocol 84
check 'mended: it is tried again, and armed' wait_until 15 armed
check 'and a connection is intercepted' wait_until 5 intercepted dev1 $url
tarnd_stop
check 'tarnd ends well' test "$tarnd_status" = 0
done_testing
