#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# [scope], of a proxy that runs alone: who is passed on without the store, whatever way he asks; for whom nothing is fetched
# ahead; told by why and devices; changed by a reload.
#
#	curl from 127.0.0.1, 127.0.1.2, 127.0.1.3 --> tarn-proxy :PORT --> nginx: 127.0.0.9:ORIGIN
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
# shellcheck source=tests/wire/fleet_vendor.sh
. "$here/fleet_vendor.sh"
generation() {
	local name
	for name in one two; do seq "$1" 20000 >"$dir/www/p/$name"; done
	index_of one two
}
generation 1
vendor_start <<END
	log_format brief '\$request_uri \$status';
	access_log $dir/access.log brief;
	server { listen 127.0.0.9:$origin; root $dir/www; }
END

# scope LINE...: what stands in [scope].
scope() {
	printf '[scope]\n' >"$dir/tarn.conf"
	printf '%s\n' "$@" >>"$dir/tarn.conf"
	chmod 644 "$dir/tarn.conf"
}
ctl() { "$build/bin/tarnctl" -c "$dir/tarn.conf" -s "$dir/run/proxy.sock" -k "$dir/none.sock" "$@"; }
counter() { wire stat "$1"; }
reloads() { [[ $(grep -c 'event=config.re' "$dir/proxy.log") -ge $1 ]]; }
reload() {
	local n
	n=$(grep -c 'event=config.re' "$dir/proxy.log")
	scope "$@"
	kill -HUP "${pids[box]}"
	wait_until 10 reloads $((n + 1))
}
# get DEVICE OBJECT: as an update source; proxied DEVICE OBJECT: as a proxy. The head of the answer goes to stdout.
get() { curl -sS --max-time 20 --interface "$1" -D - -o "$dir/body" "http://127.0.0.1:$port/acme/p/$2"; }
proxied() { curl -sS --max-time 20 --interface "$1" -x "127.0.0.1:$port" -D - -o "$dir/body" "http://127.0.0.9:$origin/p/$2"; }
asked() { grep -c "^/p/$1" "$dir/access.log"; }
is_hit() { grep -i '^cache-status:.*; *hit' <("$@"); }
# What goes straight is right, is asked of the vendor each time, and says why.
is_straight() {
	local before
	before=$(asked "$3")
	grep -i '^cache-status:.*detail=scope' <("$@") && cmp "$dir/body" "$dir/www/p/$3" && (($(asked "$3") == before + 1))
}
says() { # DEVICE PATTERN
	ctl why --from "$1" "http://127.0.0.9:$origin/p/one" >"$dir/why" 2>&1
	cat "$dir/why"
	grep -q -- "$2" "$dir/why"
}

scope 'straight = 127.0.1.0/24' 'intercept = 127.0.1.3'
fleet_box_start -c "$dir/tarn.conf"

# ---- served or straight --------------------------------------------------------------------------------

check 'a device that is listed gets its object' get 127.0.1.3 one
check '... and then from the store' is_hit get 127.0.1.3 one
check '... as a proxy, too' is_hit proxied 127.0.1.3 one
check 'one that is listed to go straight is passed on without the store' is_straight get 127.0.1.2 one
check '... as a proxy, too' is_straight proxied 127.0.1.2 one
check 'one that no entry names, while some are listed, too' is_straight get 127.0.0.1 one
check '... and is counted' test "$(counter request.straight)" == 3
check 'why says so, with the entry' says 127.0.1.2 '^Decision  *straight: .*store'
check '... which is this' grep -q '127.0.1.2 goes straight to the vendor  \[\[scope\] straight = 127.0.1.0/24\]' "$dir/why"
check 'why says who is served' says 127.0.1.3 '127.0.1.3 is served  \[\[scope\] intercept = 127.0.1.3/32\]'
check '... and that not being listed is why' says 127.0.0.1 '\[\[scope\] intercept does not list it\]'
check 'status says so' grep -qx 'Scope  *serves these alone: 127.0.1.3/32' <(ctl status)
check '... all of it' grep -qx '  *straight to the vendor: 127.0.1.0/24' <(ctl status)
check 'a wrong entry is refused by file and line' reload 'straight = guests'
check '... with what is allowed' grep -q 'tarn.conf:2: .*vlan:20' "$dir/proxy.log"
check '... and the old ones count' is_straight get 127.0.1.2 one
check 'a reload' reload 'straight = 127.0.1.3'
check '... and who went straight is served' wait_until 10 is_hit get 127.0.1.2 one
check '... and who was served goes straight' wait_until 10 is_straight get 127.0.1.3 one

# ---- fetched ahead or not ------------------------------------------------------------------------------

# device ADDRESS EXPRESSION: of what is known of it.
device() { api devices | jq -e ".devices[] | select(.device == \"$1\") | $2"; }
is_ok() { grep -q '^HTTP/1.1 200' <("$@"); }

check 'all are served, one is not fetched ahead for' reload 'not_ahead = 127.0.1.4'
check 'both ask for the index' wait_until 10 eval 'is_ok get 127.0.1.2 index.lst && is_ok get 127.0.1.4 index.lst'
check '... and each for an object' eval 'is_ok get 127.0.1.2 one && is_ok get 127.0.1.4 two'
check '... which is noted' wait_until 10 eval 'device 127.0.1.2 ".requests > 1" && device 127.0.1.4 ".requests > 1"'
check 'devices says for whom' eval 'device 127.0.1.2 ".ahead and (.straight | not)" && device 127.0.1.4 ".ahead == false"'
check '... and tarnctl' eval "ctl devices | grep -q '^127.0.1.4 .*nothing is fetched ahead for it\$'"
check 'why says so' says 127.0.1.4 'is not fetched ahead for it  \[\[scope\] not_ahead = 127.0.1.4/32\]'
check 'a reload sends one of them straight' reload 'not_ahead = 127.0.1.4' 'straight = 127.0.1.2'
check '... which is a note, and no failure' eval 'device 127.0.1.2 ".state == \"apart\" and .note == \"straight\" and .straight"'
check '... in words' eval "ctl devices | grep -q '^127.0.1.2 .* apart .*by \[scope\] it goes straight to the vendor\$'"
check '... and back' reload 'not_ahead = 127.0.1.4'
check '... no note' eval 'device 127.0.1.2 ".state != \"apart\" and .note == null"'
sync_now
: >"$dir/access.log"
generation 2
sync_now
check 'the object that counts is fetched ahead' test "$(asked one)" == 1
check '... the other one is not' test "$(asked two)" == 0
check 'it counts from now on' reload 'not_ahead = 127.0.1.2 127.0.1.3'
generation 3
sync_now
check '... and is fetched ahead, though asked for before' test "$(asked two)" == 1
check '... and what only the others asked for is not' test "$(asked one)" == 1

done_testing
