#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# Settings changed through the API: tarnd writes them, and takes them back unless they are confirmed - also when the
# admin is cut off, also after kill -9 of either program. The box steers nothing here ([steer] mode = off).
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/readme.sh
. "$here/../readme.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

PROXY=$BUILD/bin/tarn-proxy
unset FAKEPROXY_VENDORS
space box
config 'mode = off'
conf=$work/tarn.conf
sed -i 's/^workers = 2/workers = 1/' "$conf"
cat >>"$conf" <<-END
	size = 64M
	# Mine, and to stay.
	[log]
	level = info ; not too much
	[admin]
	confirm = 3s
	[sync]
	#interval = 1h
END
cp "$conf" "$work/first.conf"
chmod 640 "$conf"
chgrp nogroup "$conf"

ctl() { in_ns box "$BUILD/bin/tarnctl" -c "$conf" -s "$work/proxy.sock" -k "$work/keeper.sock" "$@"; }
api() { # METHOD PATH [BODY]
	in_ns box curl -s --max-time 10 --unix-socket "$work/proxy.sock" -X "$1" "http://x/api/v1/$2" \
		${3:+-H 'Content-Type: application/json' -d "$3"}
}
value() { api GET settings | jq -r --arg s "$1" '.settings[] | select("\(.section).\(.key)" == $s) | .value'; }
value_is() { [[ $(value "$1") == "$2" ]]; }
pending() { api GET settings | jq -e '.pending.left_s > 0'; }
not_pending() { api GET settings | jq -e '.pending == null'; }
as_before() { diff "$work/first.conf" "$conf"; }
alive() { api GET status | jq -e .uptime_s; }
up() { wait_until 15 alive; }
status_of() { # STATUS COMMAND...
	local want=$1
	shift
	"$@"
	(($? == want))
}
tarnd_start
check 'a box that steers nothing has its API' up || logs_show
check 'nothing waits' not_pending
check 'all settings are there, with default and help' eval \
	"api GET settings | jq -e '(.settings | length) > 50 and all(.settings[]; .help != \"\" and (.default | type) == \"string\")'"

# ---- what is wrong changes nothing ----------------------------------------------------------------

check 'wrong values are told one by one' eval \
	"api PATCH settings '{\"log.level\": \"loud\", \"sync.rate\": \"many\", \"no.such\": \"1\", \"log.access\": \"yes\"}' |
	jq -e '([.errors[].setting] | sort) == [\"log.level\", \"no.such\", \"sync.rate\"] and (.errors[0].text | contains(\"allowed\"))'"
check 'what leads root is set in the file alone' eval \
	"api PATCH settings '{\"keeper.user\": \"nobody\", \"cache.path\": \"/tmp\"}' | jq -e '.errors | length == 2'"
check 'a second line is none' eval "api PATCH settings '{\"sync.product_id\": \"a\\n[keeper]\"}' | jq -e .error"
check 'nothing waits after that' not_pending
check 'the file is as it was' as_before
check 'nothing to confirm: status 3' status_of 3 ctl config confirm

# ---- taken, confirmed, taken back -----------------------------------------------------------------

check 'a change is taken' ctl config set log.level=debug sync.interval=2h
check 'it is in force' value_is log.level debug
check 'and in the file, comments kept' eval "grep -qx 'level = debug ; not too much' '$conf' && grep -qx '# Mine, and to stay.' '$conf' &&
	grep -A1 -x '#interval = 1h' '$conf' | grep -qx 'interval = 2h'"
check 'it waits' pending
check 'another one has to wait: status 3' status_of 3 ctl config set log.level=warn
check 'owner and mode of the file stay' test "$(stat -c '%a %G' "$conf")" = '640 nogroup'
check 'it is taken back by itself' wait_until 10 as_before
check 'and out of force' wait_until 5 value_is log.level info

check 'a second time' ctl config set log.level=debug
check 'confirmed' ctl config confirm
check 'it does not wait any more' not_pending
uptime_over() { (($(alive) > $1)); }
wait_until 10 uptime_over $(($(alive) + 3)) # longer than [admin] confirm
check 'and stays' value_is log.level debug
check 'what was confirmed can be taken back' ctl config undo
check 'it is' as_before
check 'and in force' value_is log.level info
check 'once: status 3' status_of 3 ctl config undo

# ---- the admin's own hand -------------------------------------------------------------------------

check 'a change' ctl config set log.level=debug
echo '# edited' >>"$conf"
check 'a file that was edited meanwhile stays' wait_until 10 grep -q 'settings.taken_back.*error=ESTALE' "$work/tarnd.log"
check 'as it is' grep -qx '# edited' "$conf"
cp "$work/first.conf" "$conf"
kill -HUP "$tarnd"
check 'a file of the admin counts' wait_until 5 value_is log.level info

# ---- cut off, and killed --------------------------------------------------------------------------

check 'a change of the admin address is taken' ctl config set admin.listen=127.0.0.1:8443
check 'tarn-proxy is started again for it' wait_until 10 in_ns box curl -sk -o /dev/null https://127.0.0.1:8443/
check 'who does not confirm gets the old one back' wait_until 15 as_before
gone() { ! in_ns box curl -sk -o /dev/null https://127.0.0.1:8443/; }
check 'and tarn-proxy is started again' wait_until 15 gone
check 'and serves' up

check 'a change' ctl config set log.level=debug
kill -KILL "$(proxy_pid)"
check 'kill -9 of tarn-proxy: it is taken back' wait_until 10 as_before
check 'and it serves' up
check 'with what was' wait_until 5 value_is log.level info

check 'a change' ctl config set log.level=debug
kill -KILL "$tarnd"
wait "$tarnd" 2>/dev/null
tarnd_start
check 'kill -9 of tarnd: its successor serves' up
check 'and takes it back' wait_until 10 as_before
check 'in force' wait_until 5 value_is log.level info

check 'a change' ctl config set log.level=debug
kill -KILL "$tarnd"
wait "$tarnd" 2>/dev/null
sed -i '1s/1 [^ ]*/1 another-boot/' "$conf.pending"
tarnd_start
check 'after a reboot it is taken back before anything else' wait_until 10 as_before
check 'the successor serves' up
check 'and nothing waits' not_pending

# ---- what tarnd takes over at a start alone --------------------------------------------------------

anew() { grep -c 'event=keeper.anew' "$work/tarnd.log"; }
workers_run() { api GET status | jq -e ".workers == $1"; }
began() { (($(anew) > $1)) && workers_run "$2"; } # AFTER WORKERS
sed -i 's/^confirm = 3s/confirm = 2m/' "$conf" # time to see it, and to take it back by hand
cp "$conf" "$work/first.conf"
kill -HUP "$tarnd"
check 'there is more time now' wait_until 5 value_is admin.confirm 2m
n=$(anew)
check 'a change that tarnd must start for is taken' ctl config set proxy.workers=2
check 'tarnd begins again with it, as the same process' wait_until 30 began "$n" 2
check 'and it waits yet' pending
n=$(anew)
check 'taken back' ctl config undo
check 'it begins again with what was' wait_until 30 began "$n" 1
check 'which is in the file' as_before
check 'and nothing waits' not_pending

ip -n "$(ns box)" link add lan0 type veth peer name lan0p
ip -n "$(ns box)" link add wan0 type veth peer name wan0p
n=$(anew)
check 'the box is to be a bridge' ctl config set steer.mode=bridge steer.lan=lan0 steer.wan=wan0
check 'it is' wait_until 30 in_ns box test -e /sys/class/net/wan0/master
wait_until 30 alive
kill -KILL "$tarnd"
wait "$tarnd" 2>/dev/null
ip -n "$(ns box)" link del wan0
tarnd_start
check 'a change that it cannot begin with is taken back at once' wait_until 30 as_before
check 'and it serves' up
check 'said in its log' grep -q 'settings.taken_back.*when=no_start error=none' "$work/tarnd.log"
check 'with nothing that waits' not_pending
sed -i 's/^confirm = 2m/confirm = 3s/' "$conf"
cp "$conf" "$work/first.conf"
kill -HUP "$tarnd"
check 'less time again' wait_until 5 value_is admin.confirm 3s
n=$(anew)
starts() { grep -c 'settings.taken_back.*when=start' "$work/tarnd.log"; }
before=$(starts)
check 'a change that nobody confirms' ctl config set proxy.workers=2
# By the second one after that, or by the first when it began too late for it.
gone_back() { { (($(anew) > n + 1)) || (($(starts) > before)); } && workers_run 1 && as_before; }
check 'is taken back, and in force is what was' wait_until 30 gone_back

# ---- what the README says -------------------------------------------------------------------------

mapfile -t lines < <(readme_section | grep '^curl --unix-socket ')
check 'the README has examples' test ${#lines[@]} -ge 10
for line in "${lines[@]}"; do
	line=${line//\/run\/tarn\/proxy.sock/$work/proxy.sock}
	check "${line#*proxy.sock }" in_ns box bash -c "${line/curl /curl -sSf --max-time 10 -o /dev/null }"
done

readme_block 'tarn()' | sed "s|/run/tarn/proxy.sock|$work/proxy.sock|" >"$work/readme"
check 'the README has examples of the rest' test "$(grep -c '^tarn ' "$work/readme")" -ge 20
check 'they do what they say' bash -euxc ". '$work/readme'"

# The page's address is a change of its own; after it is confirmed, all that the README says over HTTPS.
ctl config set admin.listen=127.0.0.1:8443 && ctl config confirm
check 'the API is served by HTTPS' wait_until 30 in_ns box curl -sk -o /dev/null https://127.0.0.1:8443/
password=$(ctl admin password)
readme_block box=https | sed "s|^box=[^ ]* jar=[^ ]*|box=https://127.0.0.1:8443 jar=$work/jar|; s|PASSWORD|$password|" >"$work/readme"
check 'the README has each method over HTTPS' eval "for m in PUT POST PATCH DELETE; do grep -q \"X \$m\" '$work/readme' || exit 1; done"
check 'each does what it says' in_ns box bash -euxo pipefail "$work/readme"
check 'after which it is logged out' test "$(in_ns box curl -sk -b "$work/jar" -o /dev/null -w '%{http_code}' https://127.0.0.1:8443/api/v1/status)" = 401

tarnd_stop
check 'tarnd ends well' test "$tarnd_status" = 0
check 'nothing is left beside the file but the last change to undo' test "$(compgen -G "$conf.*")" = "$conf.undo"
done_testing
