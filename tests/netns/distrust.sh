#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 180
#
# Devices that do not take the box's certificate, in every way in which they may not (device.py), four connections at
# once and again: at most one is lost, ever, by a device and host. Also where they had trusted it before, over
# IPv6, with one version of TLS, and over the deaths of both programs.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'
command -v python3 >/dev/null || skip_all 'no python3'

# shellcheck source=tests/netns/vendor_tls.sh
. "$(dirname "$0")/vendor_tls.sh"

# device MODE [OPTION...] [-- CASE...]: from $who.
device() {
	local mode=$1 options=()
	shift
	while (($#)) && [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	in_ns dev2 timeout 60 python3 "$here/device.py" -s "$who" "${options[@]}" "$mode" "${to:-198.51.100.10}" "$HOST" \
		"$work/vendor-ca.crt" "$work/state/ca.crt" "${@:2}" 2>"$work/device.log" || cat "$work/device.log" >&2
}
# fail WAY*N,...: how many of each from $who.
fail() {
	local result
	result=$(device cases -- "$who/$1")
	echo "${result#*: }"
}
is() {
	local result
	result=$("${@:2}")
	[[ $result == "$1" ]] || { echo "$result instead of $1"; sed 's/^/# /' "$work/device.log"; return 1; }
}

box_start
who=10.7.0.12
served() { is 0 fail 'trusts*1' && [[ $(stat tls.decided.intercepted) != 0 ]]; }
check 'a device that trusts is served' wait_until 15 served

# ---- all ways, each by a device of its own, all at once -----------------------------------------

cases=() whys=()
# way WHY [=VERSION] WAYS
way() {
	local source=10.7.0.$((101 + ${#cases[@]}))
	addr dev2 eth0 $source/24
	cases+=("$source$2/$3")
	whys+=("$1")
}
for s in alert:alert fin:ended rst:ended pinned:no_request pinned_rst:no_request upgrade:refused odd:refused other:other_host; do
	w=${s%:*}
	# The very one that was tried, of four at once; and none of those that come later.
	way "${s#*:}" '' "$w*4,$w*2"
	# It had trusted; now it does not.
	way "${s#*:}" '' "trusts*3,$w*4,$w*2"
done
for s in 1.2 1.3; do
	way alert "=$s" 'alert*4,alert*2'
	way '' "=$s" 'trusts*4,trusts*2'
done
# loses_one CASE WHY RESULT: one at most (none where a busy machine had us carry it through), and that for WHY; the
# rounds of one that trusts none.
loses_one() {
	local who=${1%%[=/]*} n failed rounds sum=0
	read -ra failed <<<"${3#"$1: "}"
	IFS=, read -ra rounds <<<"${1#*/}"
	[[ $3 == "$1: "* && ${#failed[@]} == "${#rounds[@]}" ]] || return 1
	for ((n = 0; n < ${#failed[@]}; n++)); do
		[[ ${rounds[n]} != trusts* || ${failed[n]} == 0 ]] || return 1
		((sum += failed[n]))
	done
	((sum == 0)) || [[ $sum == 1 && -n $2 && $(jq -r ".entries[] | select(.device == \"$who\").reason" <<<"$known") == "$2" ]]
}
mapfile -t results < <(device cases -- "${cases[@]}")
known=$(api /api/v1/tls/distrust)
for ((i = 0; i < ${#cases[@]}; i++)); do
	check "${results[i]-nothing} failed (${whys[i]:-trusted})" loses_one "${cases[i]}" "${whys[i]}" "${results[i]-}"
done
tried=$(printf '%s\n' "${results[@]}" | grep -c ': .*1')
check "$tried of $((${#cases[@]} - 2)) lost one: they were tried" test "$tried" -ge 9
[[ ! -s $work/device.log ]] || sed 's/^/# /' "$work/device.log"

# Their updates pass by, which is no failure of theirs.
are_apart() {
	api /api/v1/devices >"$work/devices"
	jq -e --argjson known "$known" '[.devices[] | select(.state == "apart" and .note == "https").device] as $apart |
		[$known.entries[].device] | length > 0 and all(IN($apart[]))' "$work/devices" || { jq -c '.devices[]' "$work/devices"; return 1; }
}
check 'who does not trust stands apart, with a note' are_apart
is_told() {
	"$BUILD/bin/tarnctl" --config "$work/tarn.conf" devices |
		grep -q "^$(jq -r '.entries[0].device' <<<"$known") .*apart .*asks the vendor by HTTPS alone"
}
check '... in words' is_told

# ---- IPv6 ---------------------------------------------------------------------------------------

who=2001:db8:7::12
to=2001:db8:51::10
check 'IPv6: who trusts loses none' is '0' fail 'trusts*4'
check 'IPv6: who does not any more loses one' is '1 0' fail 'alert*4,alert*2'
who=2001:db8:7::1:12
addr dev2 eth0 $who/64
check 'IPv6: not even one, with another address of its network' is 0 fail 'alert*2'
unset to

# ---- hellos -------------------------------------------------------------------------------------

who=10.7.0.12
check 'a hello with GREASE for ECH is the vendor'"'"'s' counts hidden_name is server_hello device hello
check 'one that drips in is carried through in the end' counts slow is open device half -t 4

# ---- deaths -------------------------------------------------------------------------------------

# none_fails PID: of those that begin once it is dead.
none_fails() {
	local result
	result=$(device knock -k "$1")
	echo "# $result failed"
	[[ $result == '0 of '[1-9]* ]] || { sed 's/^/# /' "$work/device.log"; return 1; }
}
distrust() { api /api/v1/tls/distrust | jq -c '[.entries[] | {device, host, reason}] | sort'; }
distrust >"$work/before"
old=$(proxy_pid)
check 'kill -9 of the proxy: TLS fails open' none_fails "$old"
check 'it comes back' wait_until 15 eval "[[ \$(proxy_pid) != $old && \$(proxy_pid) != 0 ]] && armed"
check 'who does not trust is still known' eval "cmp <(distrust) $work/before"
who=10.7.0.101
check 'and loses nothing' is 0 fail 'alert*2'
who=10.7.0.12
check 'kill -9 of tarnd: no TLS connection fails' none_fails "$tarnd"
tarnd_start
check 'a new one takes over' wait_until 15 armed
who=10.7.0.103
check 'who does not trust loses nothing' is 0 fail 'fin*2'
tarnd_stop
check 'tarnd ends with status 0' test "$tarnd_status" -eq 0
done_testing
