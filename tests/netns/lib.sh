# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The network that the tests of interception share; source it. One branch office, each box a namespace:
#
#   dev1 10.7.0.11 ──┐
#   dev2 10.7.0.12 ──┤ switch ── lan0 [ box: the appliance ] wan0 ── router ── vendor 198.51.100.10
#   dev3           ──┘                                       10.7.0.1          2001:db8:51::10
#                                                            2001:db8:7::1     198.51.100.20, .30: others
#
#   IPv6: 2001:db8:7::11, ::12.
#   The box has no address, unless a test gives it one. Gateway: lan0 is 10.7.0.1, wan0 10.9.0.2, router 10.9.0.1.
#   vendor runs nginx on 80 and 443 (plain HTTP), which answers "DIRECT <client>", and dnsmasq on 198.51.100.53.
#
# Names of namespaces hold the test's PID. Everything goes away with the script.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-$here/../../build}
BUILD=$(realpath "$BUILD")
export PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"

tools=$BUILD/tests/tools
((EUID == 0)) || skip_all 'needs root: network namespaces and BPF'
[[ -x $BUILD/bin/tarnd ]] || skip_all 'tarnd is not built (CONFIG_BPF)'

work=$(mktemp -d /tmp/tarn-netns.XXXXXX)
chmod 755 "$work"
spaces=()
children=()
tarnd=''

# ns NAME: its namespace.
ns() { echo "tarn$1-$$"; }

# in_ns NAME COMMAND...: runs there.
in_ns() {
	local name=$1
	shift
	ip netns exec "$(ns "$name")" "$@"
}

clean() {
	local pid s
	trap - EXIT INT TERM
	for pid in "${children[@]}"; do
		kill -KILL "$pid" && wait "$pid"
	done 2>/dev/null
	for s in "${spaces[@]}"; do
		for pid in $(ip netns pids "$s" 2>/dev/null); do
			kill -KILL "$pid" 2>/dev/null
		done
		ip netns del "$s" 2>/dev/null
	done
	wait 2>/dev/null
	[[ -n ${KEEP:-} ]] || rm -rf "$work"
}
trap clean EXIT
trap 'clean; exit 130' INT TERM

space() {
	ip netns add "$(ns "$1")"
	spaces+=("$(ns "$1")")
	ip -n "$(ns "$1")" link set lo up
	in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
}

# wire NS1 IF1 NS2 IF2: a cable.
wire() {
	ip link add "$2" netns "$(ns "$1")" type veth peer name "$4" netns "$(ns "$3")"
	ip -n "$(ns "$1")" link set "$2" up
	ip -n "$(ns "$3")" link set "$4" up
}

# addr NS IF ADDRESS...
addr() {
	local n=$1 i=$2 a
	shift 2
	for a; do
		ip -n "$(ns "$n")" addr add "$a" dev "$i" nodad 2>/dev/null ||
			ip -n "$(ns "$n")" addr add "$a" dev "$i"
	done
}

via() { # NS GATEWAY4 GATEWAY6
	ip -n "$(ns "$1")" route add default via "$2"
	ip -n "$(ns "$1")" -6 route add default via "$3"
}

forwards() {
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

vendor_start() {
	mkdir -p "$work/nginx"
	cat >"$work/nginx.conf" <<-END
		daemon off;
		master_process off;
		pid $work/nginx.pid;
		error_log $work/nginx.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			client_body_temp_path $work/nginx;
			proxy_temp_path $work/nginx;
			fastcgi_temp_path $work/nginx;
			uwsgi_temp_path $work/nginx;
			scgi_temp_path $work/nginx;
			server {
				listen 80 backlog=4096;
				listen [::]:80 backlog=4096 ipv6only=on;
				listen 443 backlog=4096;
				listen [::]:443 backlog=4096 ipv6only=on;
				listen 8080;
				location / { return 200 "DIRECT \$remote_addr\n"; }
				location /files/ { alias $work/files/; access_log $work/files.log; }
			}
		}
	END
	mkdir -p "$work/files"
	ip netns exec "$(ns vendor)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
	children+=($!)
	cat >"$work/dnsmasq.conf" <<-END
		no-resolv
		no-hosts
		no-daemon
		bind-interfaces
		listen-address=198.51.100.53
		user=root
		pid-file=
		address=/mirror.vendor.example/198.51.100.10
		address=/mirror.vendor.example/2001:db8:51::10
		address=/secret.vendor.example/198.51.100.20
		address=/other.example/198.51.100.20
		cname=alias.vendor.example,target.cdn.example
		host-record=target.cdn.example,198.51.100.30
	END
	ip netns exec "$(ns vendor)" dnsmasq -C "$work/dnsmasq.conf" 2>"$work/dnsmasq.log" &
	children+=($!)
	wait_until 10 in_ns vendor curl -sf -o /dev/null http://198.51.100.10/ ||
		{ cat "$work/nginx.log" >&2; exit 1; }
}

# topology bridge|gateway
topology() {
	local s mode=$1
	for s in dev1 dev2 dev3 switch box router vendor; do space "$s"; done
	wire dev1 eth0 switch p1
	wire dev2 eth0 switch p2
	wire dev3 eth0 switch p3
	wire switch uplink box lan0
	wire box wan0 router in0
	wire router out0 vendor eth0
	ip -n "$(ns switch)" link add sw type bridge
	for s in p1 p2 p3 uplink; do ip -n "$(ns switch)" link set "$s" master sw; done
	ip -n "$(ns switch)" link set sw up
	in_ns switch sysctl -qw net.ipv6.conf.sw.disable_ipv6=1
	addr dev1 eth0 10.7.0.11/24 2001:db8:7::11/64
	addr dev2 eth0 10.7.0.12/24 2001:db8:7::12/64
	addr vendor eth0 198.51.100.10/24 198.51.100.20/24 198.51.100.30/24 198.51.100.53/24 \
		2001:db8:51::10/64
	addr router out0 198.51.100.1/24 2001:db8:51::1/64
	via vendor 198.51.100.1 2001:db8:51::1
	via dev1 10.7.0.1 2001:db8:7::1
	via dev2 10.7.0.1 2001:db8:7::1
	forwards router
	if [[ $mode == bridge ]]; then
		addr router in0 10.7.0.1/24 2001:db8:7::1/64
	else
		forwards box
		addr box lan0 10.7.0.1/24 2001:db8:7::1/64
		addr box wan0 10.9.0.2/24 2001:db8:9::2/64
		via box 10.9.0.1 2001:db8:9::1
		addr router in0 10.9.0.1/24 2001:db8:9::1/64
		ip -n "$(ns router)" route add 10.7.0.0/24 via 10.9.0.2
		ip -n "$(ns router)" -6 route add 2001:db8:7::/64 via 2001:db8:9::2
	fi
	vendor_start
}

# config KEY=VALUE...: tarn.conf of [steer] lines; profile for *.vendor.example.
config() {
	local line
	mkdir -p "$work/vendors" "$work/cache"
	chown nobody: "$work/cache"
	cat >"$work/vendors/example.conf" <<-END
		[vendor]
		name = example
		[hosts]
		exact = mirror.vendor.example
		suffix = vendor.example
		never = secret.vendor.example
		[reach]
		host = mirror.vendor.example
	END
	# As an installed one's: who may look into it, too.
	install -d -m "$(awk '$2 == "/var/lib/tarn" { print $3 }' "$here/../../firmware/systemd/tmpfiles.conf")" \
		"$work/state"
	{
		echo '[steer]'
		for line; do echo "$line"; done
		cat <<-END
			[vendors]
			dir = $work/vendors
			[keeper]
			socket = $work/keeper.sock
			state = $work/state
			proxy = ${PROXY:-$tools/fakeproxy}
			user = nobody
			[proxy]
			admin_socket = $work/proxy.sock
			workers = 2
			[cache]
			path = $work/cache
		END
	} >"$work/tarn.conf"
}

# The vendor's addresses, which the fake data plane announces.
export FAKEPROXY_VENDORS='198.51.100.10 2001:db8:51::10'

tarnd_start() {
	# Not in_ns: $! must be tarnd itself.
	ip netns exec "$(ns box)" "$BUILD/bin/tarnd" --config "$work/tarn.conf" 2>>"$work/tarnd.log" &
	tarnd=$!
	children+=("$tarnd")
}

# Sets tarnd_status.
# shellcheck disable=SC2034 # who sources this reads it
tarnd_stop() {
	kill -TERM "$tarnd"
	wait "$tarnd"
	tarnd_status=$?
}

# status EXPRESSION: of the keeper's document, by jq.
status() { "$tools/unixcat" "$work/keeper.sock" | jq -r "$1"; }
status_is() { [[ $(status "$1") == "$2" ]]; }
armed() { status_is .armed true; }
proxy_pid() { status .proxy.pid; }

# get NS URL [OPTION...]: what is answered to a request for the vendor's host, with the head; options are curl's.
get() {
	in_ns "$1" curl -sSi --noproxy '*' --max-time 20 -H 'Host: mirror.vendor.example' "${@:2}"
}
# Who answered? A proxy says Via.
intercepted() {
	local answer
	answer=$(get "$@")
	echo "$answer"
	[[ $answer == 'HTTP/1.1 200'* && $answer == *$'\n'[Vv]ia:* ]]
}
direct() {
	local answer
	answer=$(get "$@")
	echo "$answer"
	[[ $answer == 'HTTP/1.1 200'* && $answer != *$'\n'[Vv]ia:* ]]
}

# knocks ADDRESS SIGNAL:PIDS [OPTION...]: the signal 1 s into 3 s of connections; sets `result`.
knocks() {
	local to=$1 signal=$2
	shift 2
	result=$(in_ns dev1 "$tools/knock" -e 5 -d 3000 -a 1000 -k "$signal" "$@" "$to" 80 \
		mirror.vendor.example / 2>"$work/knock.log")
	echo "# $result"
	sed 's/^/# /' "$work/knock.log" | head -20
}

# holds EXPRESSION: true of the result.
holds() { [[ $(field "$result" "$1") == true ]]; }

# What every sudden death must look like. On a busy machine `knock` itself may begin no connection for 10 ms.
fails_open() {
	check "$1: intercepted before" holds '.before.failed == 0 and .before.intercepted > 100'
	check "$1: no connection begun after it fails" holds '.after.failed == 0 and .after.n > 300'
	check "$1: the first direct one begins within 10 ms" \
		holds '.first_direct_ms >= 0 and (.first_direct_ms <= 10 or .first_direct_ms == .first_ms)'
}

# ask NS NAME a|aaaa: sends a DNS question to 198.51.100.53 and waits for the answer.
ask() {
	local type=1 label question=''
	[[ $3 == a ]] || type=28
	for label in ${2//./ }; do
		question+=$(printf '%02x' ${#label})$(printf %s "$label" | xxd -p)
	done
	question="abcd01000001000000000000${question}00$(printf '%04x' $type)0001"
	in_ns "$1" timeout 5 bash -c '
		exec 3<>/dev/udp/198.51.100.53/53
		xxd -r -p <<<"$1" >&3
		head -c 12 <&3 | xxd -p' - "$question"
}

# field JSON EXPRESSION
field() { jq -r "$2" <<<"$1"; }

logs_show() {
	sed 's/^/# /' "$work/tarnd.log" >&2
}
