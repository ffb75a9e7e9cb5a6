#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 240
#
# Two boxes in line (line.sh) where TLS ends in each ([tls] mode = intercept), each with a certificate authority of its own:
#
#   dev1 trusts the first, dev2 the second ── switch ── lan0 [ box 10.7.0.2 ] wan0 ── lan0 [ box2 10.7.0.6 ] wan0 ── vendor
#
# The first is a device to the second, one that does not trust it, and is carried through, with all that it carries through itself:
# to the second that comes from the first. Nobody loses more than a connection to each box that it does not trust. The list of
# authorities that the boxes verify the vendor by is not in the second's own folder.
# HOST is one word, and the rest of what is not quoted, too:
# shellcheck disable=SC2086
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'
# shellcheck source=tests/netns/vendor_tls.sh
. "$(dirname "$0")/vendor_tls.sh"

space box2
ip -n "$(ns box)" link del wan0
wire box wan0 box2 lan0
wire box2 wan0 router in0
addr router in0 10.7.0.1/24 2001:db8:7::1/64

mkdir -m 755 "$work/box2"
# of2 COMMAND [ARGUMENT]...: with the second box's files.
of2() { work=$work/box2 "$@"; }
of2 config 'lan = lan0' 'wan = wan0'
printf '[dns]\nservers = 198.51.100.53\nprobe_interval = 1s\ntimeout = 300ms\n[proxy]\nsniff_wait = 3s\n[upstream]\nca_file = %s\n' \
	"$work/vendor-ca.crt" >>"$work/box2/tarn.conf"
printf '[tls]\nmode = intercept\n' >>"$work/box2/vendors/example.conf"
ip -n "$(ns box2)" link add br0 type bridge
addr box2 br0 10.7.0.6/24 2001:db8:7::6/64
ip -n "$(ns box2)" link set br0 up
via box2 10.7.0.1 2001:db8:7::1
ip netns exec "$(ns box2)" "$BUILD/bin/tarnd" --config "$work/box2/tarn.conf" 2>>"$work/box2/tarnd.log" &
second=$!
children+=("$second")
box_start
first=$tarnd
check 'the second arms interception, too' wait_until 30 of2 armed || sed 's/^/# /' "$work/box2/tarnd.log"

# ask DEVICE BOX-FOLDER FILE [CURL OPTION]...: of a device that trusts that box, and the vendor.
ask() {
	in_ns "$1" curl -sS --noproxy '*' --max-time 15 --cacert <(cat "$2/state/ca.crt" "$work/vendor-ca.crt") \
		--resolve $HOST:443:198.51.100.10 "${@:4}" "https://$HOST/files/$3"
}
# tries MOST ASK'S WORDS...: it comes whole, after so many tries at most.
tries() {
	local n
	for ((n = 1; n <= $1; n++)); do
		if ask "${@:2}" | cmp - "$work/files/$4"; then
			echo "# at try $n"
			return
		fi
	done
	return 1
}
at_vendor() { grep -c " https $HOST /files/$1 200" "$work/vendor.log"; }
has_via() { ask "$@" -o /dev/null -D - | tr -d '\r' | grep -i '^via:' | tee /dev/stderr | grep -q "$name"; }

check 'a device that trusts the first loses one connection at most, to the second' tries 2 dev1 "$work" big
check '... and none from then on' tries 1 dev1 "$work" big
distrusted() { of2 ctl tls distrust | grep -qE '^(10\.7\.0\.2|2001:db8:7::2|2001:db8:7::/64) '; }
check 'the second box knows the first as one that does not trust it' wait_until 10 distrusted || of2 ctl tls distrust
# The first took the second's certificate for the vendor's, and found it bad: it asks again after a minute, or when it is told.
ctl config reload >/dev/null
name=$(api /api/v1/status | jq -r .pseudonym)
check 'from the next time that it asks for the vendor'"'"'s certificate the first serves' wait_until 15 has_via dev1 "$work" big
before=$(at_vendor big)
check '... what it has' tries 1 dev1 "$work" big
check '... without the vendor' test "$(at_vendor big)" = "$before"
check 'what it does not have yet comes at once, too' tries 1 dev1 "$work" small
check '... of the vendor once' test "$(at_vendor small)" = 1

check 'a device that trusts the second loses one connection at most, to the first' tries 2 dev2 "$work/box2" big
check '... and none from then on' tries 1 dev2 "$work/box2" big
# Both programs of a box, so that nobody starts it again.
kill -KILL "$first" "$(proxy_pid)"
wait "$first" 2>/dev/null
check 'the first dies: who trusts it loses one connection at most, to the second' tries 2 dev1 "$work" small
check '... and none from then on' tries 1 dev1 "$work" small
check 'who trusts the second loses none' tries 1 dev2 "$work/box2" big
kill -KILL "$second" "$(of2 proxy_pid)"
wait "$second" 2>/dev/null
check 'both are dead: straight' tries 1 dev1 "$work" big
check '... the other device, too' tries 1 dev2 "$work/box2" big
done_testing
