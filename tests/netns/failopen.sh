#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 480
#
# Fail open, under a new connection every 5 ms: no connection that begins after a death may fail.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

topology bridge
config 'lan = lan0' 'wan = wan0'
export FAKEPROXY=${FAKEPROXY-ballast}
tarnd_start
check 'tarnd arms interception' wait_until 10 armed || logs_show

for to in 198.51.100.10 2001:db8:51::10; do
	knocks "$to" "9:$(proxy_pid)" -H 3
	fails_open "kill -9 of the data plane ($to)"
	check 'connections held open end' holds '.held_ended == 3'
	check 'the keeper starts it again' wait_until 10 armed
done
check 'restarts are counted' status_is .proxy.restarts 2

for to in 198.51.100.10 2001:db8:51::10; do
	knocks "$to" "9:$tarnd"
	check "kill -9 of tarnd ($to): no connection fails" \
		holds '.before.failed + .in_service.failed + .after.failed == 0 and .after.n > 300'
	check 'connections pass in the end' holds '.after.direct > 0'
	tarnd_start
	check 'a new tarnd takes over what is there' wait_until 10 armed
	check 'and intercepts' intercepted dev1 http://198.51.100.10/
done

for to in 198.51.100.10 2001:db8:51::10; do
	knocks "$to" "9:$tarnd,$(proxy_pid)"
	fails_open "kill -9 of both ($to)"
	tarnd_start
	check 'a new tarnd takes over what is there' wait_until 10 armed
done

# A hang: the limit of a heartbeat is 500 ms, that of the watchdog 2 s.
for to in 198.51.100.10 2001:db8:51::10; do
	kills=$(status .proxy.hang_kills)
	knocks "$to" "19:$(proxy_pid)" -t 2000
	check "SIGSTOP ($to): none fails that begins 600 ms later" holds '.last_failed_ms < 600'
	check 'the first direct one begins within 600 ms' \
		holds '.first_direct_ms >= 0 and .first_direct_ms <= 600'
	check 'the keeper kills what hangs' \
		wait_until 5 status_is .proxy.hang_kills $((kills + 1))
	check 'and starts it again' wait_until 10 armed
done

tarnd_stop
check 'tarnd ends with 0' test "$tarnd_status" = 0

# More connections than anybody accepts: a stopped data plane whose heartbeat is still fresh. It is `knock` that stops
# it, in the middle of its connections, or the heartbeat might be old by the time that they begin.
overflow() {
	local pid
	pid=$(proxy_pid)
	in_ns dev1 "$tools/knock" -e 1 -d 500 -t 1000 -a 200 -k "19:$pid" 198.51.100.10 80 \
		mirror.vendor.example / >/dev/null 2>&1
	kill -CONT "$pid"
	[[ $(status .counters.pass_queue_full) -gt 0 ]] || { status .counters; return 1; }
}
in_ns box sysctl -qw net.core.somaxconn=32
tarnd_start
check 'with short accept queues' wait_until 10 armed
check 'a full accept queue passes what does not fit' overflow
tarnd_stop

# Reasons not to arm.
for mode in unhealthy mute silent; do
	FAKEPROXY=$mode tarnd_start
	case $mode in
	unhealthy) check "a data plane that is $mode is not armed, and we say why" wait_until 5 status_is .why_not_armed 'the test says so' ;;
	mute) check "a data plane that is $mode is not armed, and we say why" wait_until 5 status_is .state starting ;;
	silent) check "a data plane that is $mode is not armed, and we say why" \
		wait_until 5 status_is .why_not_armed "a worker's heartbeat is old" ;;
	esac
	check 'connections pass' direct dev1 http://198.51.100.10/
	check 'over IPv6, too' direct dev1 'http://[2001:db8:51::10]/'
	tarnd_stop
done

# No data plane at all.
PROXY=/nonexistent config 'lan = lan0' 'wan = wan0'
tarnd_start
check 'a program that is not there is tried again and again' wait_until 10 status_is .state backing-off
check 'connections pass meanwhile' direct dev1 http://198.51.100.10/
# By then it waits for longer than a fatal signal may take: a death before is not held against the next one.
check 'again and again, later and later' wait_until 20 eval '(($(status .proxy.restarts) >= 6))'
check 'and none of them is taken for one that hangs' status_is .proxy.hang_kills 0
tarnd_stop

done_testing
