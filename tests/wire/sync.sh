#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Fetching ahead and generations, with a vendor whose index and objects change in one moment (tests/tools/fleet):
#
#	fleet: 20 devices (127.0.2.N) --> tarn-proxy :PORT --> fleet: the vendor, 3 products and more, 127.0.0.9:ORIGIN
#
# 24 generations, as an hour each (the run that the clock would begin is begun by the API): after it, everything
# that devices ask for is here; the vendor has sent each version once. Then kill -9 in the middle of runs, and a storm: all
# devices update without pause while generations change at random moments, and none ever gets a byte of another
# generation than its index's. The storm also with a profile that does not tell what indexes say.
#
# timeout: 900
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
# shellcheck source=tests/readme.sh
. "$here/../readme.sh"
export WIRE_PROFILE=fleet FLEET_TTL=1m

# Devices and vendor: one command, one answer in $answer.
fleet_start() {
	coproc FLEET { exec "$build/tests/tools/fleet" "$origin" "$port" "$@" 2>>"$dir/fleet.err"; }
	pids[fleet]=$FLEET_PID
	exec 7<&"${FLEET[0]}" 8>&"${FLEET[1]}"
	read -ru 7 answer
}
fleet() {
	echo "$*" >&8
	read -rt 60 -u 7 answer
}
of() { jq -r "$1" <<<"$answer"; }

start() {
	box_start -o proxy.workers=2 -o log.level=info \
		-o sync.interval=1d -o sync.jitter=0s -o sync.product_id=tarn -o sync.product_version=1 "$@"
}
api() { curl -sS --max-time 30 --unix-socket "$dir/run/proxy.sock" "http://x/api/v1/$1" "${@:2}"; }
now() { api sync -H "Content-Type: application/json" -d "{\"action\": \"${1:-now}\"}"; }
runs() { api sync | jq '.history | length'; }
is_over() { api sync | jq -e "(.history | length) > $1 and .profiles[0].state == \"idle\"" >/dev/null; }
# A run, to its end.
sync_now() {
	local before
	before=$(runs)
	now
	wait_until 20 is_over "$before"
}
last() { api sync | jq -r ".history[-1].$1"; }
is_at_most() { jq -ne "$1 <= $2" >/dev/null; }
counter() { wire stat "$1"; }

# ---- hours ---------------------------------------------------------------------------------------------------

fleet_start 20 3
start
fleet update 0 20
check 'the first update, nothing stored' test "$(of .failed)-$(of .mixed)" == 0-0
before=$(runs)
check 'a run begins as the README says' test "$(readme_example "$dir/run/proxy.sock" '"action": "now"')" == 204
wait_until 20 is_over "$before"
is_published() { api sync | jq -e '.profiles[0].generation > 0' >/dev/null; }
check 'what devices have asked for is published' is_published

misses=0 bad=0 done_runs=0 first_misses=0
for ((hour = 2; hour <= 24; hour++)); do
	fleet next
	sync_now
	[[ $(last result) != 'done' ]] || done_runs=$((done_runs + 1))
	fleet update $((hour % 20)) $((hour % 20 + 1))
	first_misses=$((first_misses + $(of .misses) + $(of .failed)))
	fleet update 0 20
	misses=$((misses + $(of .misses)))
	bad=$((bad + $(of .failed) + $(of .mixed)))
done
fleet stat
check '23 generations more are published' test "$done_runs" == 23
check 'no device gets anything mixed, nor an error' test "$bad" == 0
check 'the first device of each hour finds everything here' test "$first_misses" == 0
check 'every request of every hour is a hit' test "$misses" == 0
check 'the vendor sends at most 1.02 times what is asked for' is_at_most "$(of .sent)" "1.02 * $(of .distinct)"
check 'and no version twice' test "$(of .repeats)" == 0
check 'and nothing that is for no device here' test "$(of .unwanted)" == 0
mirror=$(of .all)
check 'a mirror of everything would fetch more than twice as much' is_at_most "2 * $(of .sent)" "$mirror"
echo "# vendor sent $(of .sent) bytes for $(of .distinct) distinct ones asked for, $(jq -n "$(of .sent) / $(of .distinct)")" \
	"times; a mirror of all that there was: $mirror, saved against it $(jq -n "100 - 100 * $(of .sent) / $mirror") %;" \
	"$(of .requests) requests, $(of .not_modified) of them 304"

# ---- who has what -------------------------------------------------------------------------------------------

states() { api devices | jq -r '[.devices[].state] | unique | join(",")'; }
check '20 devices are known' test "$(api devices | jq '.devices | length')" == 20
check 'all are current' test "$(states)" == current
fleet next
sync_now
fleet update 0 10
fleet devices
by_log=$(of '[.[] | select(.generation == 25) | .device] | sort | join(" ")')
by_tarn=$(api devices | jq -r '[.devices[] | select(.state == "current") | .device] | sort | join(" ")')
behind=$(api devices | jq -r '[.devices[] | select(.state == "behind" and .behind == 1)] | length')
check 'those that updated are current, by their own logs' test "$by_log" == "$by_tarn"
check 'the others are one generation behind' test "$behind" == 10
fleet update 0 20

# ---- what is said -------------------------------------------------------------------------------------------

ctl() { "$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k "$dir/run/none.sock" "$@"; }
check 'tarnctl devices has a line for each' test "$(ctl devices | grep -c '127\.0\.2\..* current ')" == 20
check 'tarnctl sync tells the runs' grep -q 'acme.* done .*by hand' <(ctl sync)
refuse 'tarnctl sync says no to a vendor that there is not' ctl sync --now nobody
sent=$(ctl sync --show-sent)
check 'its own requests say what the profile lists' grep -q '^X-Product: tarn/1' <<<"$sent"
check 'and the run in the query' grep -q '^GET /p[0-2]/index.lst?run=[0-9a-f]* HTTP' <<<"$sent"
refuse 'not what has no value' grep -q 'X-Licence' <<<"$sent"
refuse 'nothing of a device' grep -q '127\.0\.2\.' <<<"$sent"

# As the API's description says, with something to tell.
described() { # PATH...
	local path faults
	jq -s 'reduce .[] as $part ({}; . * $part)' "$here"/../../proxy/admin/openapi/*.json >"$dir/doc"
	for path; do
		api "${path#/api/v1/}" >"$dir/answer"
		faults=$(jq -nr -f "$here/openapi.jq" --slurpfile doc "$dir/doc" --slurpfile value "$dir/answer" --arg path "$path") || return 1
		[[ -z $faults ]] || { echo "$path: $faults"; return 1; }
	done
}
check 'the answers are as described' described /api/v1/{sync,sync/sent,devices,repository}

# ---- kill -9 in the middle of a run ------------------------------------------------------------------------

fleet stat
before=$(of .repeats)
stop box
kills=${TARN_KILLS:-6} wrong=0
for ((i = 0; i < kills; i++)); do
	start -o sync.rate=1M
	fleet next
	now
	read -rt "0.$((RANDOM % 9))" <> <(:)
	stop box KILL
	start
	fleet update 0 20 # in the middle of it, from what there is
	wrong=$((wrong + $(of .mixed)))
	sync_now
	fleet update 0 20
	wrong=$((wrong + $(of .mixed) + $(of .failed)))
	stop box
done
fleet stat
check "$kills times killed in a run: nothing mixed, nothing lost" test "$wrong" == 0
check 'at most what was not committed is fetched again' is_at_most "$(of .repeats) - $before" "$((kills * 8))"
echo "# fetched again: $(($(of .repeats) - before)) objects"

# ---- a run that was cut off, a vendor that is paused ----------------------------------------------------

start -o sync.rate=64K # a run takes longer than a busy machine
fleet next
stored=$(counter store.stored)
now
has_stored() { (($(counter store.stored) > stored)); }
check 'a run has stored something' wait_until 20 has_stored
stop box KILL
start
goes_on() { [[ $(last result)-$(last why) == 'done-it was cut off by a restart' ]]; }
check 'after a kill -9 it goes on by itself' wait_until 20 goes_on
before=$(runs)
fleet next
stop box
start -o sync.rate=64K
now
stored=0
check 'a run has stored something' wait_until 20 has_stored
stop box
start
check 'one in which the box is stopped goes on, too' wait_until 20 is_over "$before"
# One that ends the program each time, as it were: it is begun again by itself once, then after a pause (sync.retry, 1 min).
fleet next
stop box
start -o sync.rate=64K
now
stored=0
check 'another has stored something' wait_until 20 has_stored
stop box KILL
start -o sync.rate=64K
check 'begun again it has, too' wait_until 20 has_stored
stop box KILL
start
was_up() { api status | jq -e '.uptime_s >= 2' >/dev/null; }
wait_until 10 was_up # it looks four times a second
waits() { [[ $(counter store.stored) == 0 ]] && api sync | jq -e '.profiles[0].state != "running"' >/dev/null; }
check 'cut off twice it waits' waits
sync_now
check 'but not for who begins it by hand' test "$(last result)" == 'done'
fleet update 0 20
check 'and devices are served its generation' test "$(of .failed)-$(of .mixed)" == 0-0
now pause
is_paused() { api sync | jq -e '.profiles[0].state == "paused"' >/dev/null; }
check 'it can be paused' wait_until 5 is_paused
stop box
start
check 'and stays so over a restart' is_paused
now resume
stop box

# ---- a slow run: progress, pause, resume, cancel ------------------------------------------------------------

start -o sync.rate=256K
fleet next
now
comes() { api sync | jq -e '.profiles[0] | .state == "running" and .stage == "objects" and .done_bytes > 100000 and .left_s >= 1' >/dev/null; }
check 'what has come of a run, how fast and for how long still is told' wait_until 20 comes || api sync
check '... by tarnctl, too' grep -Eq '^  \[#+\.+\] [0-9]+ of [0-9]+, .*/s, .* left \(objects\)' <(ctl sync) || ctl sync
paused_in_it() {
	ctl sync --pause >/dev/null
	api sync | jq -e '.profiles[0] | .state == "paused" and .done < .total' >/dev/null
}
check 'it is paused in the middle' paused_in_it
is_still() { # for a second, once what was on its way is here
	local before
	fleet stat
	before=$(of .requests)
	read -rt 1 <> <(:)
	fleet stat
	test "$(of .requests)" == "$before"
}
check '... then nothing is asked for' wait_until 20 is_still
fleet update 0 3
check '... devices have the generation before' test "$(of .failed)-$(of .mixed)" == 0-0
before=$(runs)
ctl sync --resume >/dev/null
check 'it goes on' wait_until 60 is_over "$before"
check '... to its end' test "$(last result)" == 'done'
check '... and is never faster than it may be' is_at_most "$(last bytes) / $(last took_s)" "1.1 * 262144"
fleet next
before=$(runs)
generation=$(api sync | jq '.profiles[0].generation')
now
wait_until 20 comes
ctl sync --cancel >/dev/null
check 'one is cancelled' wait_until 5 is_over "$before"
check '... which is told' test "$(last result)" == cancelled
check '... and publishes nothing' test "$(api sync | jq '.profiles[0].generation')" == "$generation"
stop box
start
sync_now
check '... the next one brings it all' test "$(last result)" == 'done'
fleet update 0 20
check '... to all' test "$(of .misses)-$(of .failed)-$(of .mixed)" == 0-0-0
stop box

# ---- an unreachable vendor ----------------------------------------------------------------------------------

start -o sync.retry=300ms
fleet next
before=$(runs)
now pause
now now # goes on
check 'a run that was paused and told to begin runs' wait_until 10 is_over "$before"
fleet bounce
fleet next
now
is_failed() { api sync | jq -e '.profiles[0].state == "failed" and .profiles[0].why != ""' >/dev/null; }
check 'a vendor that fails is told, with the reason' wait_until 10 is_failed
fleet update 0 3
check 'devices keep the generation before' test "$(of .failed)-$(of .mixed)" == 0-0
fleet bounce
is_done() { [[ $(last result)-$(last why) == done-retry ]]; }
check 'it is tried again by itself' wait_until 10 is_done || api sync | jq -c '.profiles[], .history[-5:][]' | sed 's/^/# /'
stop box
stop fleet

# ---- storms --------------------------------------------------------------------------------------------------

export FLEET_TTL=1s
for WIRE_PROFILE in fleet fleet-blind; do
	export WIRE_PROFILE
	rm -rf "$dir/store"
	fleet_start 12 3
	start
	fleet update 0 12
	sync_now
	mixed=0 failed=0
	for _ in {1..5}; do # once, unless the machine is so busy that hardly a generation comes through
		fleet storm 6
		mixed=$((mixed + $(of .mixed))) failed=$((failed + $(of .failed)))
		is_at_most 3 "$(counter generation.new)" && break
	done
	check "$WIRE_PROFILE: no device ever sees two generations mixed" test "$mixed" == 0
	# Without knowing what took an object's place that can't be fetched ahead, and the vendor may have dropped it again.
	[[ $WIRE_PROFILE == fleet-blind ]] || check "$WIRE_PROFILE: and none misses anything" test "$failed" == 0
	check "$WIRE_PROFILE: and they do get on" is_at_most 3 "$(counter generation.new)"
	echo "# $WIRE_PROFILE: $(of .switches) switches, $(of .hits) hits, $(of .misses) misses; held $(counter generation.held), on the one before $(counter generation.pinned)"
	stop box
	stop fleet
done
grep -v '^$' "$dir/fleet.err" | head -20 | sed 's/^/# /'
done_testing
