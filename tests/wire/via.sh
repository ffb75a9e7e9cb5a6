#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Several Tarns in a row are no loop, one that is its own vendor is: each has a name of its own in Via.
#
# timeout: 300
#
#	curl --> A 127.0.0.1:A --> B 127.0.0.21:P --> pace 127.0.0.22:P
#	curl --> C 127.0.0.1:C --> C
#
# The vendor is vendor.example; a DNS server for each proxy says where that is.
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
port_a=$port port_b=$((port + 1)) port_c=$((port + 2)) dns=$((port + 3))
mkdir "$dir"/{www,a,b,c}
echo 'right bytes' >"$dir/www/x"
echo 'more' >"$dir/www/y"

# dns NAME PORT ADDRESS: where that proxy's vendor is.
dns() {
	dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --no-daemon --user="$(id -un)" --pid-file= \
		--port="$2" --listen-address=127.0.0.1 --bind-interfaces --address="/vendor.example/$3" \
		2>"$dir/dns-$1" &
	pids[dns-$1]=$!
}
# proxy NAME LISTEN VENDOR_PORT DNS_PORT
proxy() {
	mkdir -p "$dir/$1/profile"
	printf '[vendor]\nname = acme\nsource = vendor.example:%s\n[hosts]\nexact = vendor.example\n' "$3" \
		>"$dir/$1/profile/acme.conf"
	"$here/../tools/wire" start "$dir/$1" "$port_a" 1 -o "proxy.listen=$2" \
		-o "vendors.dir=$dir/$1/profile" -o "dns.servers=127.0.0.1:$4" \
		-o steer.allow_private_vendor=yes &
	pids[$1]=$!
	"$here/../tools/wire" ready "$dir/$1" || exit 1
}
name() { curl -sS --unix-socket "$dir/$1/run/proxy.sock" http://x/api/v1/status | jq -r .pseudonym; }
is_name() { [[ $1 =~ ^tarn-[0-9a-f]{8}$ ]]; }
# get PORT PATH [OPTION]...: the answer's head and body.
get() { curl -sSi --max-time 10 "http://127.0.0.1:$1/acme$2" "${@:3}"; }
# says PORT PATH TEXT...: all these are in it.
says() {
	local answer word
	answer=$(get "$1" "$2")
	echo "$answer"
	for word in "${@:3}"; do
		grep -qF -- "$word" <<<"$answer" || return 1
	done
}
# status_is STATUS PORT PATH [OPTION]...
status_is() { [[ $(get "${@:2}" -o /dev/null -w '%{http_code}') == *"$1" ]]; }

dns a "$dns" 127.0.0.21
dns b $((dns + 1)) 127.0.0.22
dns c $((dns + 2)) 127.0.0.1
"$build/tests/tools/pace" 127.0.0.22 "$port_b" "$dir/www" >"$dir/requests" &
pids[pace]=$!
wait_until 10 grep -q ready "$dir/requests" || exit 1
proxy a "127.0.0.1:$port_a" "$port_b" "$dns"
proxy b "127.0.0.21:$port_b" "$port_b" $((dns + 1))
proxy c "127.0.0.1:$port_c" "$port_c" $((dns + 2))
a=$(name a) b=$(name b)

check 'a box has a name of its own' is_name "$a"
check '... another than its neighbour' test "$a" != "$b"
check 'two in a row work, and both say so' says "$port_a" /x 'right bytes' '200 OK' "1.1 $a" "1.1 $b"
check 'Cache-Status has a name to be read' says "$port_a" /x 'Cache-Status: tarn; hit'
check "another's Via is no loop" status_is 200 "$port_a" /y -H "Via: 1.1 tarn, 1.1 ${a}0"
check 'its own is one' status_is 508 "$port_a" /y -H "Via: 1.0 first, 1.1 $a"
check 'what is its own vendor finds itself' status_is 508 "$port_c" /x
check '... after one turn' test "$("$here/../tools/wire" stat "$dir/c" requests)" -le 4

"$here/../tools/wire" idle "$dir/a"
stop a
proxy a "127.0.0.1:$port_a" "$port_b" "$dns"
check 'the name stays over a restart' test "$(name a)" == "$a"
done_testing
