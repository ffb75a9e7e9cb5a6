#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# A site without internet ([steer] offline): what one box has exported is imported by another that reaches no vendor, and
# devices there that know nothing of it update completely, by the vendor's own URLs; the site's DNS, in the router, answers
# for the vendor's names. Then the vendor comes back, goes again, and can be reached by the devices alone.
#
#   dev1, dev2 ── switch ── lan0 [ box 10.7.0.2 ] wan0 ── router 10.7.0.1, DNS ── (down) ── vendor, A: the other box
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy && -x $BUILD/bin/tarnctl ]] || skip_all 'tarn-proxy or tarnctl is not built'

PROXY=$BUILD/bin/tarn-proxy
topology bridge
nginx=${children[0]}
objects=(index.lst one two deep/three large)
publish() {
	local name
	mkdir -p "$work/files/deep"
	for name in "${objects[@]:1}"; do
		head -c "$([[ $name == large ]] && echo 3000000 || echo 200000)" /dev/urandom >"$work/files/$name"
		echo "$(sha256sum <"$work/files/$name" | cut -d ' ' -f 1) $(stat -c %s "$work/files/$name") /files/$name"
	done >"$work/files/index.lst"
}
publish
echo 'not on the drive' >"$work/files/other"

# ---- the box with a vendor -----------------------------------------------------------------------------------------

# profile FOLDER
profile() {
	mkdir -p "$1"
	cat >"$1/example.conf" <<-END
		[vendor]
		name = example
		[hosts]
		exact = mirror.vendor.example
		suffix = vendor.example
		[class index]
		path = /**/index.lst
		default_ttl = 1s
		stale_if_error = 1h
		[class object]
		path = /**
		default_ttl = 1s
		stale_if_error = 1h
		[index list]
		path = /**/index.lst
		format = lines
		line = {digest} {size} {path}
		base = host
		[reach]
		host = mirror.vendor.example
	END
}
mkdir -p "$work/a/cache"
chmod 755 "$work/a"
chown nobody: "$work/a/cache" "$work/a"
profile "$work/a/vendors"
cat >"$work/a/tarn.conf" <<END
[proxy]
listen = 127.0.0.1:3128
admin_socket = $work/a/proxy.sock
[keeper]
state = $work/a/state
[vendors]
dir = $work/a/vendors
[cache]
path = $work/a/cache
[dns]
servers = 198.51.100.53
END
ip netns exec "$(ns vendor)" setpriv --reuid nobody --regid nogroup --clear-groups "$PROXY" -c "$work/a/tarn.conf" 2>"$work/a/log" &
a=$!
children+=("$a")
fetched() {
	local name
	for name in "${objects[@]}"; do
		in_ns vendor curl -sSf --max-time 20 -x http://127.0.0.1:3128 "http://mirror.vendor.example/files/$name" |
			cmp - "$work/files/$name" || return 1
	done
}
committed() { [[ $(curl -s --unix-socket "$work/a/proxy.sock" http://x/api/v1/status | jq .cache.objects) == "${#objects[@]}" ]]; }
wait_until 10 in_ns vendor curl -sf -o "$work/x" -x http://127.0.0.1:3128 http://mirror.vendor.example/files/index.lst
check 'devices of a box with a vendor update' wait_until 20 fetched || tail -n 20 "$work/a/log"
wait_until 10 committed
check 'it exports that' "$BUILD/bin/tarnctl" -c "$work/a/tarn.conf" export "$work/drive"
key=$("$BUILD/bin/tarnctl" -c "$work/a/tarn.conf" export --key)
kill -TERM "$a"
wait "$a"

# ---- the site without -------------------------------------------------------------------------------------------------

line() { # up|down
	ip -n "$(ns router)" link set out0 "$1"
	[[ $1 == down ]] || { addr router out0 2001:db8:51::1/64; wait_until 10 in_ns router curl -sf -o "$work/x" http://198.51.100.10/; }
}
line down
cat >"$work/site-dns.conf" <<-END
	no-resolv
	no-hosts
	no-daemon
	bind-interfaces
	listen-address=10.7.0.1
	user=root
	pid-file=
	local-ttl=60
	address=/vendor.example/198.51.100.10
	address=/vendor.example/2001:db8:51::10
END
ip netns exec "$(ns router)" dnsmasq -C "$work/site-dns.conf" 2>"$work/site-dns.log" &
children+=($!)
echo 'nameserver 10.7.0.1' >"$work/resolv.conf"

# conf [LINE]...: of [steer]; DNS is the box's resolver.
DNS=10.7.0.1
conf() {
	config 'lan = lan0' 'wan = wan0' "$@"
	profile "$work/vendors"
	printf '[dns]\nservers = %s\nprobe_interval = 1s\ntimeout = 500ms\n[upstream]\nconnect_timeout = 2s\n[repository]\ntrust = %s\n' \
		"$DNS" "$key" >>"$work/tarn.conf"
}
ctl() { "$BUILD/bin/tarnctl" -c "$work/tarn.conf" "$@"; }
conf
ip -n "$(ns box)" link add br0 type bridge
addr box br0 10.7.0.2/24 2001:db8:7::2/64
ip -n "$(ns box)" link set br0 up
via box 10.7.0.1 2001:db8:7::1
tarnd_start
why_not() { status .why_not_armed; }
lost() { [[ $(why_not) == 'vendor example: not reachable' ]]; }
check 'no vendor can be reached' wait_until 30 lost || { logs_show; status .; }
check 'the drive is imported' ctl import "$work/drive"

# plain DEVICE NAME [CURL OPTION]...: a device that knows nothing but the vendor's URL and the site's DNS.
plain() {
	# shellcheck disable=SC2016
	in_ns "$1" bash -c 'mount --bind "$0" /etc/resolv.conf && exec curl -sS --noproxy "*" --max-time 20 "$@"' \
		"$work/resolv.conf" "${@:3}" "http://mirror.vendor.example/files/$2"
}
update() { # DEVICE [CURL OPTION]...
	local name
	for name in "${objects[@]}"; do plain "$1" "$name" -f "${@:2}" | cmp - "$work/files/$name" || return 1; done
}
refuse 'without the setting devices go straight, to nobody' plain dev1 one -f -o /dev/null
refuse '... and nothing is intercepted' armed

conf 'offline = yes'
ctl config reload >/dev/null
check 'offline = yes: armed' wait_until 15 armed || { status .; logs_show; }
check 'a device updates completely' wait_until 10 update dev1 -4
check '... another one, over IPv6' wait_until 10 update dev2 -6
stale() { plain dev1 large -o /dev/null -D - | tr -d '\r' | grep -i '^cache-status:' | tee /dev/stderr | grep -qE 'hit; ttl=-[0-9]+'; }
check 'what is stale by now is served, and says so' wait_until 10 stale
check 'tarnctl status: it works, and how' eval "ctl status | tee '$work/status' | grep -q '^Interception  armed, mode bridge, offline'" || cat "$work/status"
check '... in a note, too' grep -q 'offline = yes: devices are served what is stored' "$work/status"
check '... and no more is wrong' eval "ctl status >/dev/null"
fails_soon() { # WITHIN-MS COMMAND...: it fails, within that time
	local from=${EPOCHREALTIME/./} rc ms
	"${@:2}"
	rc=$?
	ms=$(((${EPOCHREALTIME/./} - from) / 1000))
	echo "# failed after $ms ms (status $rc)"
	((rc && ms < $1))
}
check 'what is not stored fails, and soon' fails_soon 8000 plain dev1 other -f -o /dev/null
check '... by HTTPS, too' fails_soon 8000 in_ns dev1 curl -sS --noproxy '*' --max-time 20 -k -o /dev/null \
	--resolve mirror.vendor.example:443:198.51.100.10 https://mirror.vendor.example/
ask_site() { in_ns dev1 bash -c 'exec 3<>/dev/tcp/10.7.0.1/53'; }
check 'what is nobody'"'"'s business passes' ask_site
kill -KILL "$(proxy_pid)"
check 'tarn-proxy is killed: it comes back, and serves' wait_until 30 update dev1
tarnd_stop
tarnd_start
check 'tarnd, too, without a word from any vendor' wait_until 30 armed || logs_show
check '... devices update' wait_until 10 update dev2

# ---- a vendor can be reached again ----------------------------------------------------------------------------------

line up
reached() { ctl status | grep -q '^Vendors .*example: reachable'; }
check 'the vendor is back' wait_until 30 reached || ctl status
check '... still armed' armed
check 'what is not stored comes from there' plain dev1 other -f -o "$work/got"
check '... as it is' cmp "$work/got" "$work/files/other"
publish
check 'a new generation reaches devices' wait_until 20 update dev1
check '... all of them' update dev2
line down
gone() { ctl status | grep -q '^Interception .*offline'; }
check 'it goes again' wait_until 30 gone
check '... and what is stored since is served' update dev1

# ---- devices can reach what the box can't ------------------------------------------------------------------------------

DNS=10.7.0.99 conf 'offline = yes'
ctl config reload >/dev/null
line up
echo 'for devices alone' >"$work/files/new"
check 'nobody answers the box, devices reach the vendor: what is not stored comes' wait_until 20 eval \
	"plain dev1 new -f | cmp - '$work/files/new'"
check '... and the box is as it was' gone
ip -n "$(ns box)" route del default
ip -n "$(ns box)" -6 route del default
no_route() { [[ $(why_not) == 'this box has no default route'* ]]; }
check 'a box that could not see a vendor come back does not intercept' wait_until 15 no_route || status .
check '... devices go straight' direct dev1 http://198.51.100.10/
check '... tarnctl status says what to do' eval "ctl status | grep -q 'default route, as devices have'"

kill -KILL "$nginx"
done_testing
