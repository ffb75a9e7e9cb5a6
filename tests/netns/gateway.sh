#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The same programs where the box is the devices' router, with addresses and forwarding; also one-armed, with no
# WAN port named; and with a strict reverse-path filter.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

topology gateway
in_ns box sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
check 'the devices reach the vendor through the box' direct dev1 http://198.51.100.10/

config 'mode = gateway' 'lan = lan0' 'wan = wan0'
tarnd_start
check 'tarnd arms interception' wait_until 10 armed || logs_show
check 'no bridge is made' tap_not in_ns box ip link show br0
for url in http://198.51.100.10/ 'http://[2001:db8:51::10]/' http://198.51.100.10:443/; do
	check "$url is intercepted" intercepted dev1 "$url"
done
check 'the rest is routed' direct dev1 http://198.51.100.20/
check 'a DNS answer feeds the vendor set' ask dev1 alias.vendor.example a
check 'and its address is intercepted' intercepted dev1 http://198.51.100.30/

for to in 198.51.100.10 2001:db8:51::10; do
	knocks "$to" "9:$(proxy_pid)" -d 2000
	check "kill -9 of the data plane ($to): no connection begun after it fails" \
		holds '.before.failed == 0 and .after.failed == 0 and .after.direct > 0'
	check 'the first one after it is direct' holds '.first_direct_ms == .first_ms'
	check 'it comes back' wait_until 10 armed
done

# A device uses a port again that it had used for an intercepted connection, of which the box still has a socket in
# TIME_WAIT. Passed packets that meet such a socket must be routed all the same. Who closes first has that socket: the
# device keeps none (it could not bind the port again), and ports are tried until the box has one.
in_ns dev1 sysctl -qw net.ipv4.tcp_max_tw_buckets=0
waits_in_box() { [[ -n $(in_ns box ss -Htn state time-wait "sport = :80 and dport = :$1") ]]; }
# leaves_a_wait PORT URL: sets `port`, the first from PORT on of which the box has a socket in TIME_WAIT.
leaves_a_wait() {
	for ((port = $1; port < $1 + 100; port++)); do
		intercepted dev1 "$2" --local-port "$port" >"$work/wait.log" && waits_in_box "$port" && return
	done
	cat "$work/wait.log"
	return 1
}
v4=http://198.51.100.10/ v6='http://[2001:db8:51::10]/'
leaves_a_wait 30100 "$v4" && port4=$port
check 'from a certain port IPv4 is intercepted' test "${port4-}"
leaves_a_wait 30200 "$v6" && port6=$port
check 'from a certain port IPv6 is intercepted' test "${port6-}"
tarnd_stop
check 'tarnd ends with 0' test "$tarnd_status" = 0
check 'the devices are routed on' direct dev1 http://198.51.100.10/
check "the box still waits for that port's last packets" waits_in_box "$port4"
check 'also from that port' direct dev1 "$v4" --local-port "$port4"
check 'also over IPv6 from that port' direct dev1 "$v6" --local-port "$port6"

config 'mode = gateway' 'lan = lan0'
tarnd_start
check 'without a WAN port: armed' wait_until 10 armed
check 'intercepted' intercepted dev2 http://198.51.100.10/
tarnd_stop
check 'routed afterwards' direct dev2 http://198.51.100.10/

config 'mode = gateway'
gateway_without_lan() {
	in_ns box "$BUILD/bin/tarnd" --config "$work/tarn.conf" 2>&1
	[[ $? == 78 ]]
}
check 'a gateway without a LAN port is refused' gateway_without_lan

done_testing
