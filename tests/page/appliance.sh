#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 240
#
# The appliance's card of the admin page in a real Chromium, against the real API: tarnd asks the notes of a pid 1, which is
# this script, and runs tarnctl (tests/netns/appliance.sh). An update for real, and its restart: tests/image/qemu/update.sh.
#
#	Chromium ── HTTPS ──► tarn-proxy ──► tarnd ──► tarnctl ──► nginx, in one network namespace
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh"
# shellcheck disable=SC2034 # modules.sh reads it
build=$BUILD page=$BUILD/page
# shellcheck source=tests/page/modules.sh
. "$here/../page/modules.sh"
[[ ! -d /state ]] || skip_all 'this machine has a /state: it may be an appliance'

PROXY=$BUILD/bin/tarn-proxy
unset FAKEPROXY_VENDORS
space box
config 'mode = off'
printf '[admin]\nlisten = 127.0.0.1:8443\n' >>"$work/tarn.conf"
# Its pid is tarnd's: each of them executes the next.
# shellcheck disable=SC2016 # the inner shell's
ip netns exec "$(ns box)" unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/tarn && exec "$@"' box \
	"$BUILD/bin/tarnd" --config "$work/tarn.conf" 2>>"$work/tarnd.log" &
tarnd=$!
children+=("$tarnd")
inside() { nsenter -m -n -t "$tarnd" "$@"; }

mkdir "$work/nginx" "$work/files"
head -c 100000 /dev/zero >"$work/files/no.update"
echo "daemon off; master_process off; pid $work/nginx.pid; error_log $work/nginx.log; events {}
	http { access_log off; server { listen 127.0.0.1:8080; root $work/files; } }" >"$work/nginx.conf"
ip netns exec "$(ns box)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)
wait_until 10 in_ns box curl -sf -o /dev/null http://127.0.0.1:8080/no.update || exit 1
up() { curl -sf --unix-socket "$work/proxy.sock" http://x/api/v1/status >/dev/null; }
wait_until 30 up || { logs_show; exit 1; }
password=$(inside "$BUILD/bin/tarnctl" -s "$work/proxy.sock" -k "$work/keeper.sock" admin password --first) || exit 1

# What pid 1 and another tarnctl would note, by words from the browser's side: a line "NAME TEXT" is a note, "lock" and
# "unlock" are that tarnctl's coming and going.
mkfifo "$work/say" "$work/hold"
exec 8<>"$work/say"
notes() {
	local name text
	while read -r name text; do
		case $name in
		lock) inside flock /run/tarn/update.lock sh -c 'read -r _ <"$1"' sh "$work/hold" & ;;
		unlock) echo >"$work/hold" ;;
		*) inside sh -c 'printf %s "$2" >"/run/tarn/$1.new" && mv "/run/tarn/$1.new" "/run/tarn/$1"' sh "$name" "$text" ;;
		esac
	done <&8
}
notes &
children+=($!)

URL=https://127.0.0.1:8443/ PASSWORD=$password SAY=$work/say CHROMIUM=$(command -v chromium) PICTURES=$page/pictures \
	MODULES=$page/node_modules HOME=$work ip netns exec "$(ns box)" node "$here/../page/appliance.mjs"
