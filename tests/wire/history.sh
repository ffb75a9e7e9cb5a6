#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Figures over time: what went to devices is in the rings at once, and still there after a restart.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
mkdir "$dir/www"
head -c 100000 /dev/urandom >"$dir/www/a"
pace_start

history() { curl -sS --max-time 5 --unix-socket "$dir/run/proxy.sock" "http://x/api/v1/history?ring=$1"; }
# sum RING SERIES N: it adds up to N.
sum() { history "$1" | jq -e --arg s "$2" --argjson n "$3" '[.series[$s][] // 0] | add == $n'; }
served() { # N: the proxy counts what it sent after the device has it
	wait_until 5 sum minute to_devices "$1"
}
whole() { history "$1" | jq -e "(.series | length) >= 10 and .step_s == $2 and (.end / 1000) > now and (.end / 1000) - now <= $2"; }

box_start
for _ in 1 2; do curl -sS -o /dev/null --max-time 10 "http://127.0.0.1:$port/acme/a"; done
for ring in minute hour day; do
	check "what went to devices is in the ring of $ring" wait_until 5 sum $ring to_devices 200000
	check "... and what came from the vendor" sum $ring from_vendor 100000
done
check 'minutes have 60 s, and the newest is this one' whole minute 60
check 'hours have 3600 s' whole hour 3600
check 'days have 86400 s' whole day 86400
check 'another ring is refused' eval "history year | jq -e '.error == \"ring\"'"
stop box
box_start
check 'after a restart it is all there' eval 'sum minute to_devices 200000 && sum day from_vendor 100000'
curl -sS -o /dev/null --max-time 10 "http://127.0.0.1:$port/acme/a"
check 'and goes on' served 300000
done_testing
