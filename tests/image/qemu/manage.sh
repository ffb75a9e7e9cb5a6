#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# Where the box itself is. The seed says: in VLAN 20, and frames of 2000 bytes. There it gets an IPv6 address by DHCPv6 and none by
# IPv4, later the other way round; untagged traffic and that of another VLAN passes and is intercepted; the admin page is there, and
# not for who comes by the router's port. Then it is moved by a setting, and moves back when nobody confirms it.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

topology bridge
vm_network
vendor_objects
# vlan NS IF ID OTHER BRIDGE ADDRESS...: a cable to OTHER's bridge, on which each frame has this tag.
vlan() {
	wire "$1" "$2" "$4" "$1$3"
	ip -n "$(ns "$4")" link set "$1$3" master "$5"
	[[ $4 != box ]] || in_ns box sysctl -qw "net.ipv6.conf.$1$3.disable_ipv6=1"
	in_ns "$1" "$tools/tagger" "$2" "$3"
	addr "$1" "$2" "${@:6}"
}
vlan router in20 20 box bwan 10.20.0.1/24 2001:db8:20::1/64
vlan router in30 30 box bwan 10.30.0.1/24
vlan dev2 eth20 20 switch sw 10.20.0.12/24 2001:db8:20::12/64
vlan dev3 eth30 30 switch sw 10.30.0.13/24
ip -n "$(ns dev3)" route add default via 10.30.0.1
for port in dev1:eth0 switch:p1 switch:uplink box:lan0 box:blan box:tlan box:twan box:bwan box:wan0 router:in0; do
	ip -n "$(ns "${port%:*}")" link set "${port#*:}" mtu 2000
done
ip -n "$(ns switch)" link set sw mtu 2000
# The name server has an IPv6 address, too.
addr vendor eth0 2001:db8:51::53/64
sed 's/^listen-address=.*/listen-address=2001:db8:51::53/' "$work/dnsmasq.conf" >"$work/dns6.conf"
ip netns exec "$(ns vendor)" dnsmasq -C "$work/dns6.conf" 2>"$work/dns6.log" &
children+=($!)

six=''
# server NAME LINE...: a DHCP server for VLAN 20; its pid is $NAME.
server() {
	local name=$1
	{
		printf '%s\n' port=0 no-daemon user=root pid-file= log-dhcp bind-interfaces interface=in20 \
			"dhcp-leasefile=$work/$name.leases" "${@:2}"
	} >"$work/$name.conf"
	ip netns exec "$(ns router)" dnsmasq -C "$work/$name.conf" 2>>"$work/$name.log" &
	eval "$name=$!"
	children+=($!)
}
server6() { server six enable-ra dhcp-range=2001:db8:20::100,2001:db8:20::1ff,64,2m 'dhcp-option=option6:dns-server,[2001:db8:51::53]'; }
server4() {
	server four dhcp-range=10.20.0.100,10.20.0.120,255.255.255.0,2m dhcp-option=option:router,10.20.0.1 \
		dhcp-option=option:dns-server,198.51.100.53 dhcp-option=option:mtu,1300
}

disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
seeded() { # LINE...
	printf '%s\n' "$@" >"$work/settings" && seed "$work/disk" "$work/settings" tarn.conf
}
check 'a seed says where it is' seeded '[admin]' 'listen = 0.0.0.0:443 [::]:443' 'allow = 10.0.0.0/8 2001:db8::/32' '[appliance]' 'management_vlan = 20' 'mtu = 2000'
# A third card, of 1500 bytes at most.
vm_start "$work/disk" -device virtio-net-pci,host_mtu=1500,mac=52:54:00:07:00:03,romfile=
passes() { direct "$@" || intercepted "$@"; }
address() { vm "ip -o addr show dev $1" | grep -E "inet6? $2"; }
check 'it is ready' becomes ready
ready_say
check 'it is in VLAN 20' says 'management interface=br0.20 vlan=20 error=0'
check '... where frames have no tag it has no address' eval '! address br0 .' || vm 'ip addr' | sed 's/^/# /'
check '... nor, without a server, any other' eval '[[ $(vm "cat /run/tarn/appliance.json" | jq -c .addresses) == "[]" ]]'
check '... the office goes through it' wait_until 60 direct dev1 $v4/
check '... by IPv6' wait_until 20 direct dev1 "$v6/"
check '... another VLAN, too' wait_until 20 direct dev3 $v4/
check 'two ports take frames of 2000 bytes' test "$(times 'port name=.* mtu=2000 error=0')" = 2
check '... the third says that it does not, and keeps its own' says 'port name=.* mtu=1500 error=-'
large() { in_ns dev1 busybox ping -c 1 -W 3 -s 1900 10.7.0.1; }
check '... such frames pass' wait_until 10 large

server6
check 'DHCPv6: it has an address' wait_until 60 address br0.20 2001:db8:20::1 || { vm 'ip addr; cat /run/early.log; tail -30 /state/log/tarn.log'; cat "$work/six.log"; } | sed 's/^/# /'
check '... by the server, not made by itself' grep -q 'DHCPREPLY' "$work/six.log"
check '... and a name server' wait_until 20 vm 'grep "^nameserver 2001:db8:51::53" /run/resolv.conf'
check '... it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status; ip -6 route; cat /run/resolv.conf' | sed 's/^/# /'
check '... IPv6, too' wait_until 30 intercepted dev1 "$v6/"
check '... and what has another tag' wait_until 30 intercepted dev3 $v4/
check '... objects come whole' objects_right dev1
check '... it asked the vendor from there' eval 'grep -q "^2001:db8:20::1[0-9a-f][0-9a-f] .*GET /files/large" "$work/files.log"' || tail -n 3 "$work/files.log"
check '... its lease is renewed' wait_until 90 grep -q DHCPRENEW "$work/six.log"
check 'the first password is shown' becomes 'password role=operate value=' 60
password=$(word password value)
box=$(address br0.20 2001:db8:20::1 | grep -oE '2001:db8:20::1[0-9a-f]+' | head -n 1)
page() { # NS
	in_ns "$1" curl -sk --max-time 10 -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/json' -d "{\"password\":\"$password\"}" \
		"https://$box/api/v1/session" | grep -q '^20'
}
[[ $box != *:* ]] || box="[$box]"
check 'a device in VLAN 20 opens the page' page dev2
refuse '... who comes by the port of the router does not' page router
refuse '... nor who comes from elsewhere through it' page dev1
check '... which is counted' eval '(($(vm "tarnctl stat" | awk "\$1 == \"admin.outside\" { print \$2 }") > 0))' || vm 'tarnctl stat' | grep outside | sed 's/^/# /'

kill "$six"
check 'the server is gone, and the lease is over: no address' wait_until 180 eval '! address br0.20 2001:db8:20::1'
check '... the office goes through it' wait_until 20 passes dev1 $v4/
check '... by IPv6' wait_until 20 passes dev1 "$v6/"
check '... what it gets is right' objects_right dev1
server6
check 'it is back: the box has an address' wait_until 150 address br0.20 2001:db8:20::1
check '... and intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
kill "$six"
server4
check 'IPv4: it has an address by DHCP' wait_until 60 address br0.20 10.20.0.
# What the box says in a SYN of the largest segment that it takes: 1300 without the two headers.
cat >"$work/mss.py" <<'END'
import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("out0", 0))
s.settimeout(60)
end = time.time() + 60
while time.time() < end:
    frame = s.recv(2000)
    if len(frame) > 57 and frame[12:14] == b"\x08\0" and frame[23] == 6 and frame[26:29] == bytes([10, 20, 0]) and frame[47] & 0x12 == 2 and frame[54:56] == b"\2\4":
        print(int.from_bytes(frame[56:58], "big"))
        break
END
in_ns router timeout 70 python3 "$work/mss.py" >"$work/mss" &
said() {
	vm 'nc -w 3 198.51.100.10 80'
	[[ $(<"$work/mss") == 1260 ]]
}
check "... and the server's size of what goes further" wait_until 50 said || { vm 'cat /run/lease'; cat "$work/mss"; } | sed 's/^/# /'
vm 'ip -6 addr flush dev br0.20 scope global'
check '... by that alone it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status; ip route' | sed 's/^/# /'
check '... objects come whole' objects_right dev1

# Moved, to where frames have no tag.
dhcp_start
mark
check 'it is told to be where frames have no tag' vm 'tarnctl config set appliance.management_vlan=0'
check '... it has an address there' wait_until 50 address br0 10.7.0.
check '... and no interface of the VLAN' vm '! ip link show dev br0.20'
check '... the office goes through it' passes dev1 $v4/
check 'nobody confirms it: it is back in VLAN 20' wait_until 120 address br0.20 10.20.0.
server6
check '... by IPv6, too' wait_until 60 address br0.20 2001:db8:20::1 || vm 'ps' | grep dhcp | sed 's/^/# /'
check '... and has no address elsewhere' wait_until 10 eval '! address br0 .'
check '... it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status; ip route' | sed 's/^/# /'
for line in 'management_vlan = 4095' 'mtu = 576'; do
	printf '[appliance]\n%s\n' "$line" >"$work/wrong"
	refuse "$line is refused" "$BUILD/bin/tarnd" --check --config "$work/wrong"
	check '... with file and line' eval '"$BUILD/bin/tarnd" --check --config "$work/wrong" 2>&1 | grep "wrong:2: $line .*allowed"'
done
check 'all of it without a program that ended by itself' eval '[[ $(grep -E "^TARN service name=" "$work/console" | grep -vc "name=\(dhcp\|dhcp6\|tarnd\) ") == 0 ]]'
vm 'free; ps' | sed 's/^/# /'
vm_kill
done_testing
