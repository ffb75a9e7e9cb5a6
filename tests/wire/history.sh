#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Figures over time: what went to devices is in the rings at once, and still there after a restart.
#
# timeout: 300
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=${BUILD:-$here/../../build}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-history.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
origin=$((26000 + (BASHPID + RANDOM) % 6000))

finish() {
	[[ -z ${proxy:-} ]] || kill "$proxy" 2>/dev/null
	[[ -z ${pace:-} ]] || kill "$pace" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
chmod 755 "$dir"
mkdir "$dir/www"
head -c 100000 /dev/urandom >"$dir/www/a"
"$build/tests/tools/pace" 127.0.0.9 "$origin" "$dir/www" >"$dir/requests" &
pace=$!
wait_until 10 grep -q ready "$dir/requests" || exit 1

start() {
	BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" &
	proxy=$!
	BUILD=$build "$here/../tools/wire" ready "$dir"
}
history() { curl -sS --max-time 5 --unix-socket "$dir/run/proxy.sock" "http://x/api/v1/history?ring=$1"; }
# sum RING SERIES N: it adds up to N.
sum() { history "$1" | jq -e --arg s "$2" --argjson n "$3" '[.series[$s][] // 0] | add == $n'; }
served() { # N: the proxy counts what it sent after the device has it
	wait_until 5 sum minute to_devices "$1"
}
whole() { history "$1" | jq -e "(.series | length) >= 10 and .step_s == $2 and (.end / 1000) > now and (.end / 1000) - now <= $2"; }

start || exit 1
for _ in 1 2; do curl -sS -o /dev/null --max-time 10 "http://127.0.0.1:$port/acme/a"; done
for ring in minute hour day; do
	check "what went to devices is in the ring of $ring" wait_until 5 sum $ring to_devices 200000
	check "... and what came from the vendor" sum $ring from_vendor 100000
done
check 'minutes have 60 s, and the newest is this one' whole minute 60
check 'hours have 3600 s' whole hour 3600
check 'days have 86400 s' whole day 86400
check 'another ring is refused' eval "history year | jq -e '.error == \"ring\"'"
kill "$proxy"
wait "$proxy"
start || exit 1
check 'after a restart it is all there' eval 'sum minute to_devices 200000 && sum day from_vendor 100000'
curl -sS -o /dev/null --max-time 10 "http://127.0.0.1:$port/acme/a"
check 'and goes on' served 300000
done_testing
