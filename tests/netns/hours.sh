#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 420
#
# A vendor with a new generation each hour, for a day, and 20 devices of 3 products that know nothing of the appliance, which
# is the installed one but for its data plane's clock: hours pass in an instant (tests/clock/moved.c), and what begins runs is
# its own schedule. Then days pass in which next to nothing changes.
#
#   d1 10.7.0.101 ... d20 ── switch ── lan0 [ box 10.7.0.2 ] wan0 ── router ── vendor 198.51.100.10: tests/tools/fleet
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
PROXY=$BUILD/tests/clock/tarn-proxy
[[ -x $PROXY && -x $BUILD/bin/tarnctl ]] || skip_all 'tarn-proxy or tarnctl is not built'
devices=20 products=3 wanted=12

unset FAKEPROXY_VENDORS
topology bridge
kill -KILL "${children[0]}" # nginx: fleet is the vendor
wait "${children[0]}" 2>/dev/null
unset 'children[0]'
for ((i = 1; i <= devices; i++)); do
	space "d$i"
	wire "d$i" eth0 switch "q$i"
	ip -n "$(ns "d$i")" link set eth0 address "02:00:00:00:07:$(printf %02x "$i")"
	ip -n "$(ns switch)" link set "q$i" master sw
	addr "d$i" eth0 "10.7.0.$((100 + i))/24"
	ip -n "$(ns "d$i")" route add default via 10.7.0.1
done
ip -n "$(ns box)" link add br0 type bridge
addr box br0 10.7.0.2/24
ip -n "$(ns box)" link set br0 up
ip -n "$(ns box)" route add default via 10.7.0.1

# The vendor, the devices, and the time: one command, one answer in $answer.
export TARN_CLOCK=$work/clock
head -c 8 /dev/zero >"$TARN_CLOCK"
coproc FLEET { exec "$tools/fleet" 80 80 "$devices" "$products" "tarn%s-$$" "$TARN_CLOCK" 2>>"$work/fleet.err"; }
children+=("$FLEET_PID")
exec 7<&"${FLEET[0]}" 8>&"${FLEET[1]}"
read -rt 10 -u 7 answer || exit 1
fleet() {
	echo "$*" >&8
	read -rt 60 -u 7 answer
}
of() { jq -r "$1" <<<"$answer"; }

# conf [LINE]...: further settings.
conf() {
	config 'lan = lan0' 'wan = wan0'
	cat >"$work/vendors/example.conf" <<-END
		[vendor]
		name = example
		[hosts]
		exact = mirror.vendor.example
		suffix = vendor.example
		[class index]
		path = /**/index.lst
		default_ttl = 60s
		max_ttl = 5m
		stale_if_error = 1d
		[class object]
		path = /**
		default_ttl = 1h
		stale_if_error = 7d
		[index list]
		path = /**/index.lst
		format = lines
		line = {digest} {size} {path} {name}
		base = host
		skip = #
		[reach]
		host = mirror.vendor.example
		port = 80
		[sync]
		ahead = yes
	END
	printf '%s\n' '[dns]' 'servers = 198.51.100.53' 'probe_interval = 1s' '[log]' 'level = info' "$@" >>"$work/tarn.conf"
}
ctl() { "$BUILD/bin/tarnctl" -c "$work/tarn.conf" "$@"; }
api() { curl -sS --max-time 30 --unix-socket "$work/proxy.sock" "http://x/api/v1/$1"; }
sync() { api sync | jq -r "$1"; }

# ---- time --------------------------------------------------------------------------------------------------------------

ahead_ms=0
simulated_ms() { echo $(($(date +%s%3N) + ahead_ms)); }
# What was due has begun and ended: no sooner is the next run than in the future.
is_settled() { api sync | jq -e ".profiles[0] | (.state == \"idle\" or .state == \"failed\") and .next_at > $(simulated_ms)" >/dev/null; }
# pass SECONDS: in steps of ten minutes, so that what is due in them comes to its time.
pass() {
	local left=$1 step
	while ((left > 0)); do
		step=$((left < 600 ? left : 600))
		fleet pass "$step"
		ahead_ms=$(of .ahead_ms)
		left=$((left - step))
		wait_until 20 is_settled || { echo '# a run does not end'; api sync; } >&2
	done
}
# note_publication: generation of the vendor now = the box's number, at this time.
declare -A number_of=() published_at=()
publications=()
generation=1
note_publication() {
	local number at
	read -r number at < <(sync '.profiles[0] | "\(.generation) \(.published_at)"')
	[[ $number != 0 && -z ${published_at[$number]:-} ]] || return 0
	number_of[$generation]=$number
	published_at[$number]=$at
	publications+=("$number")
}

# ---- who has what, by the devices' own logs ---------------------------------------------------------------------------

# expected: a line for each device: address, generation, state, generations behind, hours behind.
expected() {
	local device mine number behind since state hours
	fleet devices
	while read -r device mine; do
		number=${number_of[$mine]:-none} behind=0 since=
		for at in "${publications[@]}"; do
			[[ $number != none && $at -gt $number ]] || continue
			behind=$((behind + 1))
			since=${since:-${published_at[$at]}}
		done
		hours=$([[ -z $since ]] && echo 0 || echo $((($(simulated_ms) - since) / 360000)))
		state=current
		((behind == 0)) || state=behind
		((behind == 0 || hours <= 720)) || state=stale
		echo "$device $number $state $behind $((hours / 10)).$((hours % 10))"
	done < <(of '.[] | "\(.device) \(.generation)"')
}
# Hours as `tarnctl devices` rounds them: a tenth more or less is the second between two readings.
named() { api devices | jq -r '.devices[] | "\(.device) \(.generation) \(.state) \(.behind) \(.behind_hours * 10 | floor / 10)"' | sort; }
is_named_rightly() {
	named >"$work/named"
	expected | sort >"$work/expected"
	[[ $(wc -l <"$work/named") == "$devices" ]] && paste -d ' ' "$work/named" "$work/expected" |
		awk '{ d = $5 - $10 } $1 != $6 || $2 != $7 || $3 != $8 || $4 != $9 || d > 0.11 || d < -0.11 { bad = 1 } END { exit bad }'
}
wrong_names=0
look_at_devices() {
	is_named_rightly || { wrong_names=$((wrong_names + 1)); diff "$work/named" "$work/expected" | sed 's/^/# /'; }
}

# update FROM TO: counts what comes of it.
hits=0 asked=0 misses=0 bad=0
update() {
	local values
	fleet update "$1" "$2"
	read -ra values < <(of '"\(.hits) \(.asked) \(.misses) \(.mixed + .failed)"')
	hits=$((hits + values[0])) asked=$((asked + values[1])) misses=$((misses + values[2])) bad=$((bad + values[3]))
}
# someone: a device that does update in this hour; d20 sleeps through half of the day, d19 through three hours.
sleeps() { # DEVICE HOUR
	(($1 == 19 && $2 > 5 && $2 < 18)) || (($1 == 18 && $2 > 8 && $2 < 12))
}
others_update() { # HOUR [SECONDS between]: all that do not sleep, at their times of the hour
	local i
	for ((i = 0; i < devices; i += 4)); do
		local to=$((i + 4))
		while ((to > i)) && sleeps $((to - 1)) "$1"; do to=$((to - 1)); done
		update "$i" "$to"
		pass "${2:-0}"
	done
}

# ---- a day -------------------------------------------------------------------------------------------------------------

times=$(printf '%02d:10, ' {0..23})
conf '[sync]' "times = ${times%, }"
tarnd_start
check 'armed' wait_until 30 armed || { logs_show; exit 1; }
update 0 "$devices"
check 'the first update, nothing stored' test "$bad" == 0
pass $((7500 - $(simulated_ms) / 1000 % 3600)) # five minutes over an hour, behind a run that time began
is_published() { [[ $(sync '.profiles[0].generation') -gt 0 ]]; }
check 'what devices have asked for is published' is_published || exit 1
note_publication
update 0 "$devices"
check 'all are current, by their own logs' is_named_rightly || { cat "$work/named" "$work/expected"; exit 1; }

hits=0 asked=0 misses=0 first_misses=0 by_clock=0
for ((hour = 2; hour <= 24; hour++)); do
	if ((hour == 13)); then
		# The other half by the interval, with devices that come at any time, and after a restart.
		conf
		ctl config reload >/dev/null
		before=$(proxy_pid)
		kill -TERM "$before"
		started() { [[ $(proxy_pid) != "$before" ]] && armed; }
		wait_until 30 started
		wait_until 10 is_settled
	fi
	fleet next
	generation=$(of .generation)
	runs=$(sync '[.history[] | select(.result == "done" and .why == "schedule")] | length')
	if ((hour < 13)); then
		pass 1200
		note_publication
		by_clock=$((by_clock + $(sync '[.history[] | select(.result == "done" and .why == "schedule")] | length') - runs))
		had=$misses
		update $((hour % 18)) $((hour % 18 + 1))
		first_misses=$((first_misses + misses - had))
		others_update "$hour"
		look_at_devices
		pass 2400
	else
		others_update "$hour" 600
		note_publication
		update $((hour % 18)) $((hour % 18 + 1))
		look_at_devices
		pass 600
		others_update "$hour"
		look_at_devices
	fi
done
fleet stat
check '11 hours: the schedule began a run in each' test "$by_clock" == 11
check '... the first device of each hour finds everything here' test "$first_misses" == 0
check '24 generations are published' test "${#publications[@]}" == 24
check 'every object of the day is a hit' test "$misses" == 0
echo "# $hits hits; $asked times the vendor was asked whether an index is still the newest, $misses misses"
check 'no device gets anything mixed, nor an error' test "$bad" == 0
check 'tarnctl devices named each generation rightly, each hour' test "$wrong_names" == 0
is_at_most() { jq -ne "$1 <= $2" >/dev/null; }
check 'the vendor sends at most 1.02 times what is asked for' is_at_most "$(of .sent)" "1.02 * $(of .distinct)"
check '... no version twice' test "$(of .repeats)" == 0
check '... nothing that is for no device here' test "$(of .unwanted)" == 0
check 'a mirror of everything would fetch more than twice as much' is_at_most "2 * $(of .sent)" "$(of .all)"
echo "# vendor sent $(of .sent) bytes for $(of .distinct) distinct ones asked for, $(jq -n "$(of .sent) / $(of .distinct)")" \
	"times; a mirror of all that there was: $(of .all), saved against it $(jq -n "100 - 100 * $(of .sent) / $(of .all)") %;" \
	"$(of .requests) requests, $(of .not_modified) of them 304"

# ---- who has what, as it is read ----------------------------------------------------------------------------------------

fleet next
generation=$(of .generation)
pass 3900
note_publication
update 0 10
ctl devices >"$work/table"
by_log=$(fleet devices; of "[.[] | select(.generation == $generation) | .device] | sort | join(\" \")")
by_table=$(awk '/ current /{ print $1 }' "$work/table" | sort | xargs)
check 'tarnctl devices: those are current that are, by their own logs' test "$by_table" == "$by_log" || cat "$work/table"
check '... the others one generation behind' test "$(grep -c ' behind .*1 generation' "$work/table")" == 10 || cat "$work/table"
counted() {
	fleet devices
	diff <(of '.[] | "\(.device) \(.hits) \(.bytes)"' | sort) <(api devices | jq -r '.devices[] | "\(.device) \(.hits) \(.bytes)"' | sort)
}
check '... and what each has got is what it counted itself' counted
macs() { api devices | jq -r '.devices[] | "\(.device) \(.mac)"' | sort; }
check '... with its MAC' diff <(macs) <(for ((i = 1; i <= devices; i++)); do printf '10.7.0.%d 02:00:00:00:07:%02x\n' $((100 + i)) "$i"; done | sort)

# ---- a weekend ---------------------------------------------------------------------------------------------------------

# No device asks for anything, and what replaced what they have is replaced again and again.
misses=0
for ((hour = 1; hour <= 6; hour++)); do
	fleet next
	generation=$(of .generation)
	pass 3900
	note_publication
done
update 0 1
check 'after hours in which nobody asked the first finds everything' test "$misses" == 0
update 1 "$devices"
check '... the others, too' test "$misses-$bad" == 0-0
check '... and all are current' is_named_rightly

# ---- what nobody asks for, for they have it --------------------------------------------------------------------------------

# Three weeks: next to nothing changes, devices look each day. Then the rest changes, too.
pass 600
for ((day = 1; day <= 21; day++)); do
	fleet next "$wanted"
	generation=$(of .generation)
	fleet pass 82800
	ahead_ms=$(of .ahead_ms)
	wait_until 20 is_settled
	pass 3600
	note_publication
	update 0 "$devices"
done
check 'three weeks later: nobody got anything mixed, nor an error' test "$bad" == 0
check '... all are current' is_named_rightly
of_all=$((products * (wanted + 1))) # with the indexes
ctl --json export "$work/drive" >"$work/exported"
check '... what is exported is all that they need, not only what is new' test "$(jq '.[0].files' "$work/exported")" == "$of_all" ||
	cat "$work/exported"
fleet next
generation=$(of .generation)
pass 3900
note_publication
misses=0
update 0 1
check 'what had not changed for three weeks is fetched ahead when it does' test "$misses" == 0
update 1 "$devices"
check '... for all' test "$misses-$bad" == 0-0

[[ ! -s $work/fleet.err ]] || sed 's/^/# /' "$work/fleet.err" | head -20
done_testing
