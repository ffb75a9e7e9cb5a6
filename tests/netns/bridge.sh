#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# Interception in bridge mode, with the fake data plane: who is intercepted, who is not, and what is left.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

topology bridge
config 'lan = lan0' 'wan = wan0'
in_ns box ip -d addr >"$work/before.addr"

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
	[[ $answer == "ICPT to=$2 from=$3",* ]] || { echo "$answer"; return 1; }
}
check 'the data plane sees both IPv4 addresses' addresses_kept http://198.51.100.10/ \
	198.51.100.10,80 10.7.0.11
check 'the data plane sees both IPv6 addresses' addresses_kept 'http://[2001:db8:51::10]/' \
	2001:db8:51::10,80 2001:db8:7::11

done_testing
