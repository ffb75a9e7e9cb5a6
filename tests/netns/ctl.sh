#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tarnctl against the real tarnd and tarn-proxy, in a namespace without any network but loopback and
# without steering. The profile's reach host is the proxy's own listener, so it can be reached.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

space box
mkdir -p "$work"/{vendors,cache,run}
chown nobody "$work/cache" "$work/run"
cat >"$work/vendors/here.conf" <<-END
	[vendor]
	name = here
	[hosts]
	exact = 127.0.0.1, here.example
	[reach]
	host = 127.0.0.1
	port = 3128
END
# conf MODE: a configuration.
conf() {
	cat <<-END
		[steer]
		mode = $1
		allow_private_vendor = yes
		[keeper]
		socket = $work/run/keeper.sock
		state = $work/state
		user = nobody
		proxy = $BUILD/bin/tarn-proxy
		[proxy]
		admin_socket = $work/run/proxy.sock
		[cache]
		path = $work/cache
		size = 64M
		[vendors]
		dir = $work/vendors
	END
}
conf off >"$work/tarn.conf"
conf sideways >"$work/wrong.conf"

ctl() { "$BUILD/bin/tarnctl" --config "$work/tarn.conf" "$@"; }
# status_is N: tarnctl status exits with N.
status_is() {
	ctl status >/dev/null 2>&1
	(($? == $1))
}
# says TEXT WORDS...: tarnctl WORDS prints it.
says() {
	local text=$1
	shift
	ctl "$@" 2>&1 | grep -F -- "$text"
}
# counter NAME: its value.
counter() { ctl stat 2>/dev/null | awk -v n="$1" '$1 == n { print $2 }'; }
counted() { (($(counter "$1") >= $2)); }
# A request of no vendor.
ask() {
	in_ns box curl -s -o /dev/null --max-time 5 -H 'Host: other.example' http://127.0.0.1:3128/x
}
# refused STATUS COMMAND...: exits with it, and names file, line, fault and what is allowed.
refused() {
	local want=$1 out status
	shift
	out=$("$@" 2>&1)
	status=$?
	echo "$status: $out"
	((status == want)) && grep -F "$work/wrong.conf:2: mode = sideways is not valid; allowed: off, bridge" <<<"$out"
}

check 'nothing runs: status 2' status_is 2
check 'the configuration is found right' says 'OK: 1 vendor' config check
check 'tarnctl refuses a wrong one' refused 78 "$BUILD/bin/tarnctl" config check "$work/wrong.conf"
check 'tarnd refuses it' refused 78 in_ns box "$BUILD/bin/tarnd" --config "$work/wrong.conf"
check 'tarn-proxy refuses it' refused 78 in_ns box "$BUILD/bin/tarn-proxy" --config "$work/wrong.conf"

# ca_status_is N WORD: `tarnctl ca WORD` exits with N.
ca_status_is() { ctl ca "$2" >"$work/ca"; [[ $? -eq $1 ]]; }
check 'there is no CA yet: status 2' ca_status_is 2 show
ip netns exec "$(ns box)" "$BUILD/bin/tarnd" --config "$work/tarn.conf" 2>"$work/log" &
keeper=$!
children+=("$keeper")
check 'soon it works' wait_until 20 status_is 0
check 'the vendor is reachable' wait_until 20 says 'here: reachable' status
check 'both programs answered' says 'Interception  not armed, mode off' status
check 'the proxy says its version' says 'tarn-proxy    0.1, up ' status
check 'the keeper says its pid in JSON' says '"pid": ' --json status
check 'counters of the keeper' says 'steer.syn_steered' stat
ask
check 'a request is counted' wait_until 5 counted requests 1
check 'counters have their meaning' says 'requests whose head was accepted' -v stat

before=$(counter conn.accepted)
ask
check 'connections are counted' wait_until 5 counted conn.accepted $((before + 1))

proxy_pid=$(ctl --json status | awk '/"pid": / { gsub(/[^0-9]/, ""); print; exit }')
kill -STOP "$proxy_pid"
check 'a proxy that stands still is told' status_is 1
check 'and why' says 'tarn-proxy: does not answer' status
kill -CONT "$proxy_pid"
check 'and works again' wait_until 10 status_is 0

# ---- the CA -------------------------------------------------------------------------------------

check 'tarnd made a CA' ca_status_is 0 export
ca_digest() { openssl x509 -noout -fingerprint -sha256 | cut -d= -f2; }
digest=$(ca_digest <"$work/ca")
check 'its key is root'"'"'s alone' test "$(stat -c %a:%u "$work/state/ca.pem")" == 600:0
check 'the data plane can'"'"'t read it' \
	tap_not setpriv --reuid nobody --clear-groups cat "$work/state/ca.pem"
check 'what is exported has no key' tap_not grep -q PRIVATE "$work/ca"
check 'show says its digest' says "SHA-256       $digest" ca show
check 'and what it may speak for' says 'May speak for here.example' ca show
check 'as JSON, too' eval "ctl --json ca show | jq -e '.permitted == [\"here.example\", \"tarn.internal\"] and
	.uncovered == []'"
sed -i 's/^exact = .*/& new.example/' "$work/vendors/here.conf"
kill -HUP "$keeper"
check 'a new host is not covered, tarnd says' wait_until 5 grep -q 'ca.uncovered hosts=1' "$work/log"
check 'and show says' says 'Not for       new.example' ca show
check 'the CA is the same' test "$(ctl ca export | ca_digest)" == "$digest"

check 'dns says whose DNS it is' says 'here    yes' dns
check 'upstreams is a table or says why not' says 'VENDOR' upstreams

# ---- the configuration, shown and reloaded ----------------------------------------------------------

shown_is_the_same() {
	ctl config show >"$work/shown.conf"
	diff <(ctl --json config show | jq '.settings[] | .key + .value') \
		<("$BUILD/bin/tarnctl" --json -c "$work/shown.conf" config show | jq '.settings[] | .key + .value')
}
check 'config show prints a file that means the same' shown_is_the_same
check 'it names the line of what is set' says "size = 64M                      ; $work/tarn.conf:13" config show cache
check 'and what is not' says 'object_max = 0                  ; default' config show cache.object_max
check 'config diff shows default and value' says "$work/tarn.conf:13: [cache] size" config diff
check 'a setting that does not exist' says 'no such setting: cache.sice' config show cache.sice
check 'an untouched file reloads' says 'taken over by tarnd and tarn-proxy; no connection was dropped' config reload
printf '[sync]\nrate = 1M\n[log]\nlevel = debug\n' >>"$work/tarn.conf"
sed -i 's/^size = 64M/size = 65M/' "$work/tarn.conf"
check 'what waits for the next start is named' says 'At the next start of tarnd only: cache.size' config reload
check 'the level is taken over' says debug log level
printf '[sync]\nrate = much\n' >>"$work/tarn.conf"
check 'a wrong file is told by line' says "$work/tarn.conf:21: rate" config reload
check 'and asked of nobody' says 'nothing was asked of the running programs' config reload
sed -i '$d' "$work/tarn.conf"

kill -TERM "$keeper"
check 'tarnd ends' wait_until 15 tap_not kill -0 "$keeper"
check 'nothing runs again: status 2' wait_until 5 status_is 2

done_testing
