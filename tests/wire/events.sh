#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Events: kept, shown, followed, streamed; the log's level while running.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"

origin=9 # nobody
box_start
ctl() { "$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k none "$@"; }
api() { curl -s --max-time 10 --unix-socket "$dir/run/proxy.sock" "http://x$1"; }
says() {
	local text=$1
	shift
	ctl "$@" | grep -F -- "$text"
}
status_of() {
	local want=$1
	shift
	"$@" >/dev/null 2>&1
	(($? == want))
}

check 'the start is an event' wait_until 10 says 'proxy.ready' log
check 'with its text' says 'workers=1' log
check 'nothing less than a notice is' tap_not says ' info ' log
check 'as JSON' eval "ctl log --json | jq -e '.events | length > 0 and (.[-1] | .id > 0 and .at > 1e12 and (.level | IN(\"notice\", \"warn\", \"error\")))'"
ctl log -f >"$dir/followed" &
pids[log]=$!
curl -sN --unix-socket "$dir/run/proxy.sock" http://x/api/v1/stream >"$dir/stream" &
pids[stream]=$!
check 'a stream tells figures' wait_until 10 grep -q '^data: {"at":[0-9]*,"to_devices":0,' "$dir/stream"
check 'who follows sees what was' wait_until 10 grep -q proxy.ready "$dir/followed"

check 'the level is told' says debug log level
check 'and set' says notice log level notice
check 'who follows sees what comes' wait_until 10 grep -q 'log.level.*level=notice' "$dir/followed"
check 'so does the stream' wait_until 10 grep -q '^data: {"id":.*"what":"log.level"' "$dir/stream"
check 'a level that is none is refused: status 3' status_of 3 ctl log level loud
check 'limits are kept' eval "api '/api/v1/events?limit=1' | jq -e '.events | length == 1'"
check 'a wrong limit is refused' eval "api '/api/v1/events?limit=100000' | jq -e '.error == \"bad_number\"'"
last=$(api '/api/v1/events?limit=1' | jq '.events[0].id')
check 'nothing after the last' eval "api '/api/v1/events?after=$last' | jq -e '.events == []'"
check 'all after none' eval "api '/api/v1/events?after=0&limit=1' | jq -e '.events[0].id == 1'"

stop box
box_start -o log.access=yes
check 'events outlive a restart' wait_until 10 says 'proxy.end' log
check 'and go on counting' eval "api '/api/v1/events?after=$last' | jq -e '.events[0].id == $last + 1'"
curl -s -o /dev/null --max-time 10 "http://127.0.0.1:$port/acme/a"
check 'the access log has a line' wait_until 10 grep -q 'event=request .*path=/a ' "$dir/proxy.log"
check 'which is no event' tap_not says ' request ' log
done_testing
