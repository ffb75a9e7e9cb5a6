#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# [admin] from: the page is for the devices' side. Who is on the router's side does not reach it, whatever address he has;
# what is on its way to others on that same port passes; where no port is known to lead to the router nobody is locked out.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'
command -v nft >/dev/null || skip_all 'nft is not here'

# shellcheck disable=SC2034 # lib.sh reads it
PROXY=$BUILD/bin/tarn-proxy
unset FAKEPROXY_VENDORS
ctl() { "$BUILD/bin/tarnctl" -c "$work/tarn.conf" "$@" 2>&1; }
stat_over() { (($(ctl stat | awk -v name="$1" '$1 == name {print $2}') > $2)); }
admin() { # LINE...
	{
		printf '[admin]\nlisten = 0.0.0.0:8443 [::]:8443\nallow = 0.0.0.0/0 ::/0\nconfirm = 3s\n'
		for line; do echo "$line"; done
	} >>"$work/tarn.conf"
}
page() { # NS ADDRESS
	in_ns "$1" curl -skg --compressed --max-time 5 "https://$2:8443/" | grep -q '<title>Tarn'
}
shut() { # NS ADDRESS: not so much as a handshake
	in_ns "$1" curl -skg --max-time 1 -o /dev/null "https://$2:8443/"
	[[ $? == 7 || $? == 28 ]]
}
answers() { # NS ADDRESS: something else, on the page's port
	in_ns "$1" curl -sg --max-time 5 "http://$2:8443/" | grep -q '^another$'
}
another() { # NS: has a server there, on all addresses
	mkdir -p "$work/$1"
	cat >"$work/$1/conf" <<-END2
		daemon off;
		master_process off;
		pid $work/$1/pid;
		error_log $work/$1/log;
		events { }
		http {
			access_log off;
			client_body_temp_path $work/$1;
			proxy_temp_path $work/$1;
			fastcgi_temp_path $work/$1;
			uwsgi_temp_path $work/$1;
			scgi_temp_path $work/$1;
			server { listen 8443; listen [::]:8443 ipv6only=on; return 200 "another\n"; }
		}
	END2
	ip netns exec "$(ns "$1")" nginx -c "$work/$1/conf" -p "$work/$1" 2>>"$work/$1/log" &
	children+=($!)
}
lan_only() { status_is .admin_lan_only "$1"; }

# ---- a bridge -------------------------------------------------------------------------------------

topology bridge
config
admin
ip -n "$(ns box)" link add br0 type bridge
addr box br0 10.7.0.5/24 2001:db8:7::5/64
ip -n "$(ns box)" link set br0 up
another dev2
another vendor
tarnd_start
check 'before it is known which port leads to the router nobody is locked out' wait_until 20 page dev1 10.7.0.5 || logs_show
check '... on neither side' page router 10.7.0.5
check '... and the keeper says so' lan_only false
via box 10.7.0.1 2001:db8:7::1
in_ns box curl -s --max-time 2 -o /dev/null http://10.7.0.1/ # so that the bridge learns where it is
check 'once it is known, the keeper says so' wait_until 20 lan_only true || logs_show
figures() { curl -s --unix-socket "$work/proxy.sock" http://x/metrics | grep -q '{event="admin_outside"} 0$'; }
check "the kernel's figures are there" wait_until 10 figures
for at in 10.7.0.5 '[2001:db8:7::5]'; do
	check "a device has the page at $at" page dev1 "$at"
	check '... the router does not, though its address is of the same network' shut router "$at"
	check '... nor who is behind it' shut vendor "$at"
done
check 'each such packet is counted' wait_until 15 stat_over admin.outside 3
ctl log >"$work/log"
check 'and is an event' grep -q 'admin\.outside' "$work/log" || cat "$work/log"
check 'the same port of a device is reached from outside' answers vendor 10.7.0.12
check '... by IPv6' answers vendor '[2001:db8:7::12]'
check '... and that of the vendor from a device' answers dev1 198.51.100.20

# A machine that also forwards: a packet for its MAC address is not for it by that alone.
forwards box
ip -n "$(ns router)" route add 10.7.0.12/32 via 10.7.0.5
ip -n "$(ns router)" -6 route add 2001:db8:7::12/128 via 2001:db8:7::5
check 'where the box forwards: through it to a device' answers router 10.7.0.12
check '... by IPv6' answers router '[2001:db8:7::12]'
check '... and the page stays shut' shut router 10.7.0.5
check '... by IPv6' shut router '[2001:db8:7::5]'
check '... and at its own network card, too' shut router "[$(in_ns box ip -6 -j addr show br0 | jq -r '.[0].addr_info[] | select(.scope == "link").local' | head -1)%in0]"
in_ns box sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0

in_ns box ip link set br0 address 02:00:00:00:77:01
in_ns router ip neigh flush dev in0
in_ns dev1 ip neigh flush dev eth0
check 'the bridge has another MAC address: a device has the page' wait_until 5 page dev1 10.7.0.5
check '... the router does not' wait_until 5 shut router 10.7.0.5

check 'from = any is taken' ctl config set admin.from=any
check '... and opens it' wait_until 5 page router 10.7.0.5
check '... and the keeper says so' lan_only false
check 'who does not confirm it has it shut again' wait_until 15 shut router 10.7.0.5
ctl config set admin.from=any >/dev/null
check 'confirmed, it stays open' ctl config confirm
check '... by IPv6' page router '[2001:db8:7::5]'
check '... from behind the router' page vendor 10.7.0.5
check '... and a device has it' page dev1 10.7.0.5
check 'who shuts himself out' ctl config set admin.from=lan
check '... is out' wait_until 5 shut router 10.7.0.5
check '... until it is taken back' wait_until 15 page router 10.7.0.5
check 'shut again' ctl config set admin.from=lan
ctl config confirm >/dev/null
kill -KILL "$tarnd"
wait "$tarnd" 2>/dev/null
check 'tarnd is killed: who is outside still has no page' shut router 10.7.0.5
tarnd_start
check '... and its successor shuts it' wait_until 20 lan_only true
check '... and a device has the page' wait_until 10 page dev1 10.7.0.5
check '... the router not' shut router 10.7.0.5
tarnd_stop
check 'tarnd ends well' test "$tarnd_status" = 0

# ---- a gateway ------------------------------------------------------------------------------------

for pid in "${children[@]}"; do kill -KILL "$pid" && wait "$pid"; done 2>/dev/null
for s in "${spaces[@]}"; do ip netns del "$s"; done
spaces=() children=()
topology gateway
config 'mode = gateway' 'lan = lan0' 'wan = wan0'
admin
another dev2
tarnd_start
check 'gateway: a device has the page' wait_until 20 page dev1 10.7.0.1 || logs_show
check '... the keeper keeps it from the rest' wait_until 5 lan_only true
check '... also at the outer address' page dev1 10.9.0.2
check 'the router does not' shut router 10.9.0.2
check '... by IPv6' shut router '[2001:db8:9::2]'
check '... nor at the inner address' shut router 10.7.0.1
check '... nor who is behind it' shut vendor 10.9.0.2
check 'what is routed to a device passes' answers router 10.7.0.12
in_ns box nft -f - <<<'table ip nat { chain pre { type nat hook prerouting priority -100; iifname "wan0" tcp dport 8443 dnat to 10.7.0.12; }; }'
check 'a port that is translated to a device passes, though it is addressed to the box' answers router 10.9.0.2
in_ns box nft flush ruleset
check 'from = any opens it' ctl config set admin.from=any
check '... to the router' wait_until 5 page router 10.9.0.2
check '... and is taken back' wait_until 15 shut router 10.9.0.2
# One who was let in and shuts himself out must not be able to confirm that by the connection that he has.
ctl config set admin.from=any >/dev/null
ctl config confirm >/dev/null
# kept ADDRESS: of the router, a connection on which one request goes now, and one after a line on 8.
mkfifo "$work/go"
exec 8<>"$work/go"
kept() {
	in_ns router python3 -c 'if True:
		import http.client, ssl, sys
		wire = http.client.HTTPSConnection(sys.argv[1], 8443, timeout=2, context=ssl._create_unverified_context())
		for turn in range(2):
			if turn:
				open(sys.argv[2]).readline()
			try:
				wire.request("GET", "/", headers={"Accept-Encoding": "gzip", "Host": "10.9.0.2:8443"})
				print(len(wire.getresponse().read()) > 100, flush=True)
			except OSError as e:
				print(type(e).__name__, flush=True)' "$1" "$work/go" >"$work/kept"
}
for at in 10.9.0.2 2001:db8:9::2; do
	kept "$at" &
	check "$at: a connection from outside has the page" wait_until 10 grep -q True "$work/kept"
	ctl config set admin.from=lan >/dev/null
	wait_until 5 lan_only true
	echo >&8
	wait $!
	check '... and is dead once it is shut' test "$(tail -n 1 "$work/kept")" = TimeoutError
	check '... until that is taken back' wait_until 15 page router 10.9.0.2
done
ctl config set admin.from=lan >/dev/null
check 'shut again, and confirmed' ctl config confirm
tarnd_stop
check 'tarnd ends well' test "$tarnd_status" = 0

config 'mode = gateway' 'lan = lan0'
admin
tarnd_start
check 'one arm: no port leads to the router alone, nobody is locked out' wait_until 20 page router 10.9.0.2 || logs_show
check '... and the keeper says so' lan_only false
tarnd_stop
done_testing
