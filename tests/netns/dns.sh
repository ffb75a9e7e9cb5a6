#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# The system's DNS dies, lies and comes back; updates go on through the profile's public resolvers.
#
#   box: tarn-proxy alone, explicit proxy      world
#   192.0.2.1        2001:db8:2::1  ───────    192.0.2.53      "system", the resolver of box's resolv.conf
#                                              198.51.100.53   "public", the profile's second resolver
#                                              198.51.100.54   the profile's first resolver: nobody there
#                                              198.51.100.10   the vendor: nginx on 80
#                                              198.51.100.99   nobody listens on 80 there
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

space box
space world
wire box eth0 world eth0
addr box eth0 192.0.2.1/24 2001:db8:2::1/64
addr world eth0 192.0.2.53/24 2001:db8:2::53/64 198.51.100.10/32 198.51.100.53/32 \
	198.51.100.99/32
ip -n "$(ns box)" route add 198.51.100.0/24 via 192.0.2.53

# ---- world ----------------------------------------------------------------------------------------

mkdir -p "$work/nginx" "$work/files" "$work/vendors" "$work/cache" "$work/run"
for i in {1..400}; do echo "object $i" >"$work/files/$i"; done
cat >"$work/nginx.conf" <<END
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path $work/nginx;
	proxy_temp_path $work/nginx;
	fastcgi_temp_path $work/nginx;
	uwsgi_temp_path $work/nginx;
	scgi_temp_path $work/nginx;
	keepalive_timeout 0;
	server { listen 198.51.100.10:80; root $work/files; }
}
END
ip netns exec "$(ns world)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)

# dns NAME LISTEN ADDRESS: a dnsmasq on LISTEN that answers every question for the vendor with
# ADDRESS. Its pid goes into $NAME_pid.
dns() {
	ip netns exec "$(ns world)" dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --no-daemon \
		--bind-interfaces --listen-address="$2" --user=root --pid-file= --local-ttl=1 \
		--address="/vendor.example/$3" --local=/vendor.example/ 2>>"$work/$1.log" &
	children+=($!)
	printf -v "$1_pid" %s $!
}
dns_end() {
	local pid=$1_pid
	kill -CONT "${!pid}" 2>/dev/null
	kill -KILL "${!pid}"
	wait "${!pid}" 2>/dev/null
}
system_pid=
# shellcheck disable=SC2034 # by name
public_pid=
dns system 192.0.2.53 198.51.100.10
dns public 198.51.100.53 198.51.100.10

# ---- box ------------------------------------------------------------------------------------------

cat >"$work/vendors/test.conf" <<END
[vendor]
name = test
[hosts]
exact = up.vendor.example
[reach]
host = up.vendor.example
port = 80
resolvers = 198.51.100.54, 198.51.100.53
END

# config_write PUBLIC
config_write() {
	cat >"$work/tarn.conf" <<END
[proxy]
listen = 127.0.0.1:3128
admin_socket = $work/run/proxy.sock
workers = 2
[cache]
path = $work/cache
[dns]
public = $1
probe_interval = 1s
timeout = 300ms
[vendors]
dir = $work/vendors
END
}
config_write yes
echo 'nameserver 192.0.2.53' >"$work/resolv.conf"
chown -R nobody "$work/cache" "$work/run"
chmod 755 "$work"/{cache,run,vendors}

# In a mount namespace of its own, so that /etc/resolv.conf is ours.
# shellcheck disable=SC2016 # for the inner shell
ip netns exec "$(ns box)" unshare -m sh -c '
	mount --bind "$1" /etc/resolv.conf
	exec "$2" --config "$3" --user nobody
' - "$work/resolv.conf" "$BUILD/bin/tarn-proxy" "$work/tarn.conf" 2>"$work/proxy.log" &
proxy=$!
children+=("$proxy")

api() { curl -sf --max-time 5 --unix-socket "$work/run/proxy.sock" "http://tarn$1"; }
reach() { api /api/v1/status | jq -r ".reach[0].$1"; }
reach_is() { [[ $(reach "$1") == "$2" ]]; }
stat() { api /api/v1/stat | jq -r ".counters[] | select(.name == \"$1\").value"; }
stat_is() { [[ $(stat "$1") == "$2" ]]; }
stat_over() { (($(stat "$1") > $2)); }
number=0
# fetch: an object that nobody has fetched before, through the proxy.
fetch() {
	number=$((number + 1))
	[[ $(ip netns exec "$(ns box)" curl -sS --max-time 5 -x http://127.0.0.1:3128 \
		"http://up.vendor.example/$number") == "object $number" ]]
}

check 'the vendor is reachable through the system resolver' wait_until 10 reach_is state system ||
	sed 's/^/# /' "$work/proxy.log"
check 'and shown so' reach_is via system
check 'a fetch works' fetch

# ---- the system's resolver falls silent --------------------------------------------------------

kill -STOP "$system_pid"
ok=0 bad=0
begin=${EPOCHREALTIME/./}
while ! reach_is via public; do
	if fetch; then ok=$((ok + 1)); else bad=$((bad + 1)); fi
	((${EPOCHREALTIME/./} - begin < 15000000)) || break
done
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
echo "# switched after $took ms; fetches meanwhile: $ok good, $bad bad"
check 'silent: the public resolver takes over' reach_is via public
check 'the first one of the list is not there: the second is used' \
	reach_is resolver 198.51.100.53:53
check 'it is counted' stat_is reach.switch_to_public 1
check 'no fetch failed meanwhile' test "$bad" -eq 0
check 'fetches go on' fetch
check 'the vendor counts as reachable' reach_is reachable true

# ---- and comes back ------------------------------------------------------------------------------

kill -CONT "$system_pid"
check 'it answers again: back to the system resolver' wait_until 15 reach_is via system
check 'that is counted, too' stat_is reach.switch_to_system 1
check 'fetches go on after the return' fetch

# ---- it is dead altogether, and public resolvers are forbidden -------------------------------------

config_write no
kill -HUP "$proxy"
check 'the new settings are taken over' wait_until 5 stat_is config.reloads 1
switches=$(stat reach.switch_to_public)
dns_end system
check 'dead and public forbidden: not reachable' wait_until 15 reach_is reachable false
check 'never switched' stat_is reach.switch_to_public "$switches"
check 'the status says so' test "$(api /api/v1/status | jq -r .state)" = no_upstream
config_write yes
kill -HUP "$proxy"
check 'allowed again: reachable through the public resolver' wait_until 15 reach_is via public
dns system 192.0.2.53 198.51.100.10
check 'restarted: back' wait_until 15 reach_is via system

# ---- hijacked: a private address ----------------------------------------------------------------

dns_end system
dns system 192.0.2.53 10.9.9.9
check 'a private address for a public name: switched' wait_until 15 reach_is via public
check 'counted as hijacked' stat_over dns.hijacked 0
check 'a fetch goes to the right one' fetch
dns_end system
dns system 192.0.2.53 198.51.100.10
check 'the truth again: back' wait_until 15 reach_is via system

# ---- hijacked: an address that does not connect ------------------------------------------------

dns_end system
dns system 192.0.2.53 198.51.100.99
check 'an address that refuses: switched' wait_until 15 reach_is via public
check 'a fetch still works' fetch
dns_end system
dns system 192.0.2.53 198.51.100.10
check 'the right address again: back' wait_until 15 reach_is via system

# ---- another resolv.conf ------------------------------------------------------------------------

dns_end system
check 'its server is gone: switched' wait_until 15 reach_is via public
dns system 2001:db8:2::53 198.51.100.10
echo 'nameserver 2001:db8:2::53' >"$work/resolv.conf"
check 'a new resolv.conf (IPv6) is read: the system resolver works' wait_until 15 reach_is via system
check 'and a fetch' fetch

kill -TERM "$proxy"
wait "$proxy"
check 'it ends with status 0' test $? -eq 0
done_testing
