#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# Both real programs in bridge mode (the topology of lib.sh): what devices get when tarnd steers them to tarn-proxy.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

PROXY=$BUILD/bin/tarn-proxy
topology bridge
config 'lan = lan0' 'wan = wan0'
cat >>"$work/tarn.conf" <<END
[dns]
servers = 198.51.100.53
probe_interval = 1s
timeout = 300ms
[demand]
names = both
END
chown nobody "$work/cache"
for i in {1..20}; do echo "object $i" >"$work/files/$i"; done
head -c 3000000 /dev/urandom >"$work/files/big"
# Old enough to be fresh for a day (RFC 9111, 4.2.2).
touch -d "10 days ago" "$work"/files/*

tarnd_start
# The box's own address, by which it reaches the vendor; a DHCP client would do this.
check 'the bridge is there' wait_until 10 in_ns box ip link show br0
addr box br0 10.7.0.2/24 2001:db8:7::2/64
via box 10.7.0.1 2001:db8:7::1
check 'tarnd arms interception: the proxy is ready and reaches the vendor' wait_until 15 armed ||
	{ logs_show; status .; }

api() { curl -sf --max-time 5 --unix-socket "$work/proxy.sock" "http://tarn$1"; }
stat() { api /api/v1/stat | jq -r ".counters[] | select(.name == \"$1\").value"; }
stat_is() { [[ $(stat "$1") == "$2" ]]; }
stat_over() { (($(stat "$1") > $2)); }

# dhcp_ask DEVICE NAME: a DHCP request by which it calls itself that.
dhcp_ask() {
	in_ns "$1" python3 - "$2" <<-'END'
		import socket, sys
		with open('/sys/class/net/eth0/address') as f:
		    mac = bytes.fromhex(f.read().strip().replace(':', ''))
		name = sys.argv[1].encode()
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0')
		s.bind(('', 68))
		s.sendto(b'\1\1\6\0' + bytes(24) + mac + bytes(202) + b'\x63\x82\x53\x63\x35\1\1\x0c' + bytes([len(name)]) + name + b'\xff',
		         ('255.255.255.255', 67))
	END
}
check 'two devices ask for addresses' eval "dhcp_ask dev1 'PC-7<b>\"' && dhcp_ask dev2 printer.3"
check 'the kernel notes what they call themselves' wait_until 10 status_is .counters.hostname 2

# The keeper hears of the vendor's addresses right after it was armed.
known() { in_ns dev1 curl -sS --noproxy '*' --max-time 5 -o /dev/null -D - \
	--resolve mirror.vendor.example:80:198.51.100.10 "http://mirror.vendor.example/files/$1" |
	grep -qi '^Via: .*tarn'; }
check 'the first exact host is steered at once' wait_until 2 known 1

# vendor_get DEVICE PATH [CURL OPTION...]: from mirror.vendor.example at its address.
vendor_get() {
	local device=$1 path=$2
	shift 2
	in_ns "$device" curl -sS --noproxy '*' --max-time 10 \
		--resolve mirror.vendor.example:80:198.51.100.10 "$@" \
		"http://mirror.vendor.example$path"
}
same_big() { vendor_get "$1" /files/big "${@:2}" | cmp - "$work/files/big"; }
header() { vendor_get "$1" "$2" -o /dev/null -D - | tr -d '\r' | grep -i "^$3:"; }

check 'a device gets an object whole' same_big dev1
check 'it was fetched' stat_over request.miss 0
hits=$(stat request.hit)
check 'another device gets it from the store' same_big dev2
check 'a hit' stat_over request.hit "$hits"
check 'copied: by a veth it could reach a socket of this machine' stat_is bytes.by_sendfile 0
check 'the response says so' eval 'header dev1 /files/big Cache-Status | grep -q hit'
check 'over IPv6, too' eval "in_ns dev1 curl -sS --noproxy '*' --max-time 10 --resolve \
	'mirror.vendor.example:80:[2001:db8:51::10]' http://mirror.vendor.example/files/big |
	cmp - $work/files/big"

check 'it was committed' wait_until 10 stat_over store.objects 0
# links: "address MAC VLAN" of each device that asked for something.
links() { api /api/v1/devices | jq -r '.devices[] | "\(.device) \(.mac) \(.vlan)"'; }
mac_of() { in_ns "$1" cat /sys/class/net/eth0/address; }
links_are() {
	links
	links | grep -qx "10.7.0.11 $(mac_of dev1) 0" && links | grep -qx "10.7.0.12 $(mac_of dev2) 0" &&
		links | grep -qx "2001:db8:7::11 $(mac_of dev1) 0"
}
check 'devices are known by their MAC addresses, too' wait_until 10 links_are
called() { api /api/v1/devices | jq -r ".devices[] | select(.device == \"$1\") | .name"; }
names_are() { [[ $(called 10.7.0.11) == 'PC-7?b??' && $(called 2001:db8:7::11) == 'PC-7?b??' && $(called 10.7.0.12) == printer.3 ]]; }
check '... and by what they call themselves, as far as that can be a name' names_are

# mdns_say DEVICE SOURCE NAME [ADDRESS]: says to all from SOURCE that NAME.local is ADDRESS, or SOURCE.
mdns_say() {
	in_ns "$1" python3 - "${@:2}" <<-'END'
		import ipaddress, socket, sys
		source, name, address = (sys.argv[1:] + sys.argv[1:2])[:3]
		data, index = ipaddress.ip_address(address).packed, socket.if_nametoindex('eth0')
		packet = b'\0\0\x84\0\0\0\0\1\0\0\0\0' + bytes([len(name)]) + name.encode() + b'\5local\0' + \
		         (b'\0\1' if len(data) == 4 else b'\0\x1c') + b'\x80\1\0\0\0\x78' + len(data).to_bytes(2, 'big') + data
		if ':' in source:
		    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
		    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
		    to = ('ff02::fb', 5353, 0, index)
		else:
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
		    to = ('224.0.0.251', 5353)
		s.bind((source, 5353))
		s.sendto(packet, to)
	END
}
is_called() { [[ $(called "$1") == "$2" ]]; }
mdns_say dev1 10.7.0.11 Laptop-1
check 'by mDNS, too: that is its own word of this address' wait_until 10 is_called 10.7.0.11 laptop-1
mdns_say dev1 2001:db8:7::11 Laptop-6
check '... over IPv6' wait_until 10 is_called 2001:db8:7::11 laptop-6
mdns_say dev2 10.7.0.12 Evil 10.7.0.11
check 'a device that gives another one a name is counted' wait_until 10 stat_is mdns.packets.foreign 1
check '... and changes nothing' eval 'is_called 10.7.0.11 laptop-1 && is_called 10.7.0.12 printer.3'

# ---- what is not for the cache ----------------------------------------------------------------

foreign() {
	in_ns dev1 curl -sS --noproxy '*' --max-time 10 -H 'Host: other.example' \
		"http://198.51.100.10/$1"
}
objects=$(stat store.objects)
check 'a foreign host on a vendor address is carried through' \
	eval '[[ $(foreign files/1) == "object 1" ]]'
check 'it is counted' stat_over splice.foreign_host 0
check 'it is not stored' stat_is store.objects "$objects"

# Port 443 of the vendor speaks plain HTTP here: what counts is that bytes pass.
raw() { # BYTES PORT
	in_ns dev1 timeout 5 bash -c '
		exec 3<>"/dev/tcp/198.51.100.10/$2"
		printf "$1" >&3
		cat <&3' - "$1" "$2"
}
check 'something that is not HTTP is carried through' \
	eval '[[ $(raw "\x00\x01garbage\r\n\r\n" 80) == *"400 Bad Request"* ]]'
check 'it is counted as such' stat_over splice.not_http 0
# A bare LF ends no line of ours (RFC 9112, 2.2), but nginx takes it: the device must not notice who is in the way.
check 'HTTP that we refuse is carried through' eval '
	[[ $(raw "GET / HTTP/1.1\nHost: mirror.vendor.example\nConnection: close\n\n" 80) == *DIRECT* ]]'
check 'it is counted as refused' stat_over splice.refused 0
# shellcheck disable=SC2034 # by eval
hello='\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03'
check 'a TLS hello is carried through' eval '[[ $(raw "$hello" 443) == *"400 Bad Request"* ]]'
check 'it is counted as TLS' stat_over splice.tls 0
silent() {
	in_ns dev1 bash -c 'exec 3<>/dev/tcp/198.51.100.10/80; read -rt "$1" <&3; :' - 3
}
check 'a silent device is connected to its server' eval 'silent; stat_over splice.silent 0'

# ---- privileges ----------------------------------------------------------------------------------

pid=$(proxy_pid)
check 'no process of the data plane is root' eval '! grep -qP "^Uid:.*\t0(\t|$)" /proc/$pid/status'
check 'nor has a capability' eval '
	[[ $(grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/$pid/status | cut -f2 | sort -u) == 0000000000000000 ]]'
check 'nor can it get one' grep -q '^NoNewPrivs:.1' "/proc/$pid/status"
check 'it is under a filter of system calls' grep -q '^Seccomp:.2' "/proc/$pid/status"

# ---- failures --------------------------------------------------------------------------------------

kill -KILL "$pid"
check 'killed: the next connection passes' eval '[[ $(vendor_get dev1 /files/1) == "object 1" ]]'
check 'started again and armed' wait_until 15 eval 'armed && [[ $(proxy_pid) != "$pid" ]]'
check 'what was stored is still there' eval 'same_big dev2 && stat_over request.hit 0'

# The vendor's name is gone: not reachable, so nothing is steered.
dnsmasq=$(ip netns pids "$(ns vendor)" | while read -r p; do
	[[ $(cat "/proc/$p/comm") == dnsmasq ]] && echo "$p"; done)
kill -STOP "$dnsmasq"
check 'no way to the vendor: disarmed' wait_until 20 status_is .armed false
check 'the keeper says why' eval '[[ $(status .why) == *reach* || $(status .) == *reach* ]]'
check 'devices go straight through' eval '[[ $(vendor_get dev1 /) == DIRECT* ]]'
kill -CONT "$dnsmasq"
check 'the way is back: armed' wait_until 20 armed

tarnd_stop
check 'tarnd ends with status 0' test "$tarnd_status" -eq 0
check 'the proxy is gone' wait_until 10 eval '! kill -0 "$pid" 2>/dev/null'
done_testing
