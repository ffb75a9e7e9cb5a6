#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 90
#
# The selftest finds what cuts interception without a word - a filter in front, a firewall's rules, another program - and
# names it, without any device; and nothing of it is ever on a wire or in the bridge's table.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/readme.sh
. "$here/../readme.sh"
# shellcheck source=tests/netns/probed.sh
. "$here/probed.sh"

# Whoever has an address of the selftest, on either cable of the box, is counted.
for at in switch:uplink router:in0; do
	in_ns "${at%:*}" nft -f - <<-END
		table netdev seen {
			chain in {
				type filter hook ingress device ${at#*:} priority 0;
				ip saddr { 192.0.0.8, 192.0.2.1 } counter
				ip daddr { 192.0.0.8, 192.0.2.1 } counter
				ip6 saddr 100::/64 counter
				ip6 daddr 100::/64 counter
				ether saddr 00:00:00:00:00:00 counter
				ether daddr 01:80:c2:00:00:01 counter
			}
		}
	END
done
seen() { for at in switch router; do in_ns "$at" nft list table netdev seen; done | grep -o 'packets [0-9]*'; }
unseen() { seen | sort | uniq -c && [[ $(seen | sort -u) == 'packets 0' ]]; }
learned() { bridge -n "$(ns box)" fdb show br br0 | grep -E '^(00:00:00:00:00:00|01:80:c2:00:00:01) ' | grep -v permanent; }

tarnd_start
check 'it runs by itself, in both families' wait_until 20 status_is '"\(.selftest.state) \(.selftest.ways)"' 'ok 2' || logs_show
check 'armed' wait_until 10 armed || logs_show
check 'a connection is intercepted' wait_until 5 intercepted dev1 $url
# shellcheck disable=SC2016 # the README's $x
check 'it runs as the README says' test "$(readme_example "$work/proxy.sock" '-X POST $x/selftest')" = 200
steered=$(status .counters.selftest)
accepted=$(stat conn.accepted)
ctl selftest >"$work/answer"
check 'on demand: well' test $? = 0
sed 's/^/# /' "$work/answer"
check 'each step is told' test "$(grep -c '^  ok ' "$work/answer")" = 4
check 'its packets are counted apart' test "$(status .counters.selftest)" -gt "$steered"
check 'it is none of the connections' test "$(stat conn.accepted)" = "$accepted"
check 'a metric tells it' test "$(stat selftest.ok)" = 1


# What the keeper tells of the kernel's side, every few seconds.
metric() { curl -sS --unix-socket "$work/proxy.sock" http://x/metrics | awk -v name="$1" '$1 == name { print $2 }'; }
above() { [[ $(metric "$2") -gt $1 ]]; } # NUMBER METRIC
check "the kernel's counters are metrics" wait_until 20 above "$steered" 'tarn_kernel_events_total{event="selftest"}'
check '... and connections steered' wait_until 20 above 0 'tarn_kernel_events_total{event="syn_steered"}'
check 'so is how full its tables are' wait_until 20 above 0 'tarn_kernel_map_entries{map="vendors"}'
check '... and what they take' above 1000 'tarn_kernel_map_limit{map="flows"}'
metric_lines() { curl -sS --unix-socket "$work/proxy.sock" http://x/metrics | grep '^tarn_kernel_map'; }
metric_lines | sed 's/^/# /'

# A program in front of ours that drops what it likes.
clang=$(command -v clang-14 || command -v clang)
if [[ -n $clang ]]; then
	cat >"$work/drop.c" <<-END
		__attribute__((section("xdp"), used)) int drop(void *context) { return 1; }
		char licence_of[] __attribute__((section("license"), used)) = "GPL";
	END
	"$clang" -O2 -g -target bpf -c "$work/drop.c" -o "$work/drop.o"
	in_ns box ip link set dev lan0 xdpgeneric obj "$work/drop.o" sec xdp
	found unseen 'an XDP program that drops'
	check '... it names the port' eval 'status .selftest.text | grep -q "^lan0: "'
	in_ns box ip link set dev lan0 xdpgeneric off
	gone
else
	skip 'an XDP program that drops' 'clang is not here'
fi

in_ns box nft -f - <<<'table inet wall { chain in { type filter hook input priority 0; iifname "icpt0" drop; }; }'
found lost 'a firewall that drops what is steered'
check '... nothing is intercepted meanwhile' wait_until 5 status_is .armed false
check '... a device reaches the vendor' direct dev1 $url
in_ns box nft delete table inet wall
gone

in_ns box nft -f - <<<'table inet wall { chain out { type filter hook output priority 0; tcp sport 80 drop; }; }'
found unanswered 'a firewall that drops the answers'
check '... nothing is intercepted meanwhile' wait_until 5 status_is .armed false
check '... a device reaches the vendor' direct dev1 $url
in_ns box nft delete table inet wall
gone

check 'nothing of it was on a cable' unseen
check "the bridge's table knows nothing of it" test -z "$(learned)"
tarnd_stop
check 'tarnd ends well' test "$tarnd_status" = 0
done_testing
