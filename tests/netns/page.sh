#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# The admin page on a bridge's address: devices reach it, also while the box has no default route, no vendor and an address
# that comes late; who is outside [admin] allow, as what lies behind the router is, gets no answer.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/probed.sh
. "$here/probed.sh"

printf '[admin]\nlisten = 10.7.0.5:8443 10.7.0.6:8443 [2001:db8:7::5]:8443\nallow = 10.7.0.0/24 2001:db8:7::/64\n' >>"$work/tarn.conf"
forwards router
page() { # NS ADDRESS
	in_ns "$1" curl -skg --compressed --max-time 4 "https://$2:8443/" | grep -q '<title>Tarn'
}
silent() { # NS ADDRESS: nothing comes back but the end of the connection, or a refusal
	local status
	status=$(in_ns "$1" curl -skg --compressed --max-time 4 -o "$work/page" -w '%{http_code}' "https://$2:8443/")
	echo "$status"
	[[ $status == 000 || $status == 403 ]] && ! grep -q '<title>Tarn' "$work/page" 2>/dev/null
}
login() { # STATUS PASSWORD: of dev1
	[[ $(in_ns dev1 curl -sk --max-time 10 -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -d "{\"password\": \"$2\"}" \
		https://10.7.0.5:8443/api/v1/session) == "$1" ]]
}

tarnd_start
check 'armed' wait_until 20 armed || logs_show
check 'a device sees the page' wait_until 10 page dev1 10.7.0.5 || logs_show
check '... by IPv6, too' page dev1 '[2001:db8:7::5]'
check 'who lies behind the router does not' silent vendor 10.7.0.5
check '... nor by IPv6' silent vendor '[2001:db8:7::5]'
password=$(ctl admin password)
check 'a device logs in' login 200 "$password"
check 'an address that is not there yet is waited for' tap_not page dev1 10.7.0.6
addr box br0 10.7.0.6/24
check '... and has the page once it is there' wait_until 10 page dev1 10.7.0.6

ip -n "$(ns box)" route del default
ip -n "$(ns box)" -6 route del default
check 'without a default route the box passes all to the vendor' wait_until 30 status_is .armed false
check '... and a device still sees the page' page dev1 10.7.0.5
check '... by IPv6, too' page dev1 '[2001:db8:7::5]'
check '... and logs in' login 200 "$password"
sed -i 's/^listen = 10.*/listen =/' "$work/tarn.conf"
ctl config reload >/dev/null
kill -KILL "$(proxy_pid)"
check '[admin] listen empty is the off switch' wait_until 20 tap_not page dev1 10.7.0.5
tarnd_stop
check 'tarnd ends well' test "$tarnd_status" = 0
done_testing
