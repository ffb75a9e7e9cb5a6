# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# A box in bridge mode whose selftest runs each second, and what is asked of it; source it after lib.sh.
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'
command -v nft >/dev/null || skip_all 'nft is not here'

# shellcheck disable=SC2034 # lib.sh reads it
PROXY=$BUILD/bin/tarn-proxy
unset FAKEPROXY_VENDORS
topology bridge
config 'lan = lan0' 'wan = wan0'
cat >>"$work/tarn.conf" <<-END
	size = 64M
	[dns]
	servers = 198.51.100.53
	probe_interval = 1s
END
sed -i 's/^\[keeper\]/&\nselftest = 1s/' "$work/tarn.conf"
ip -n "$(ns box)" link add br0 type bridge
addr box br0 10.7.0.5/24 2001:db8:7::5/64
ip -n "$(ns box)" link set br0 up
via box 10.7.0.1 2001:db8:7::1

ctl() { "$BUILD/bin/tarnctl" -s "$work/proxy.sock" -k "$work/keeper.sock" "$@" 2>&1; }
stat() { ctl stat | awk -v name="$1" '$1 == name {print $2}'; }
well() { ctl selftest >/dev/null; }
fault_is() { status_is .selftest.fault "$1"; }
# found FAULT WHAT: within the time of some selftests; shown by the API, tarnctl and the status.
found() {
	check "$2: found, as '$1'" wait_until 10 fault_is "$1" || status .selftest
	ctl selftest --json >"$work/answer"
	check '... tarnctl selftest says so' test "$? $(jq -r .code "$work/answer")" = "1 $1"
	check '... and what to do' jq -e '(.todo | length) > 20 and (.text | length) > 10 and ([.steps[].ok] | index(false))' "$work/answer"
	ctl selftest | sed 's/^/# /'
	ctl status >"$work/answer"
	check '... the status is red' grep -q 'the selftest fails' "$work/answer" || sed 's/^/# /' "$work/answer"
}
gone() {
	check '... taken away: all is well' wait_until 15 well
	check '... and armed' wait_until 10 armed
	check '... a connection is intercepted' wait_until 5 intercepted dev1 $url
}
url=http://198.51.100.10/
