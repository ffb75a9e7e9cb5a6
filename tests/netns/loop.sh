#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 420
#
# Two boxes side by side, each with its guard against loops, between the same two networks:
#
#            ┌── a0 [ boxa ] a1 ──┐
#   left ────┤                    ├──── right       (boxes are bridges; left and right are a switch with a device)
#            └── b0 [ boxb ] b1 ──┘
#
# One of the four ports is shut, nobody else's, and the devices reach each other: also if both boxes look at the same moment. Who is
# unplugged is replaced by the other. Words that somebody makes up, or sends back, shut nothing. The guards' times are a quarter of the
# appliance's, but for listening, half of it.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
guard=$tools/loopguard
[[ -x $guard ]] || skip_all 'loopguard is not built'
for s in left right boxa boxb; do space "$s"; done

bridge() { # NS NAME MAC
	ip -n "$(ns "$1")" link add "$2" address "$3" type bridge forward_delay 0
	ip -n "$(ns "$1")" link set "$2" up
}
joined() { # NS BRIDGE PORT...
	local n=$1 b=$2 p
	shift 2
	in_ns "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	for p; do ip -n "$(ns "$n")" link set "$p" master "$b"; done
}
wire left l0 boxa a0
wire boxa a1 right r0
wire left l1 boxb b0
wire boxb b1 right r1
# A storm takes the line, as on real ones, and not this machine.
for p in left/l0 left/l1 right/r0 right/r1 boxa/a0 boxa/a1 boxb/b0 boxb/b1; do
	in_ns "${p%/*}" tc qdisc replace dev "${p#*/}" root tbf rate 1mbit burst 2kb latency 50ms
done
bridge left sw 02:00:00:00:01:01
bridge right sw 02:00:00:00:01:02
bridge boxa br0 02:00:00:00:00:0a
bridge boxb br0 02:00:00:00:00:0b
addr left sw 10.7.0.1/24
addr right sw 10.7.0.2/24
joined left sw l0
joined right sw r0
joined boxa br0 a0 a1
joined boxb br0 b0 b1
# plug NAME, unplug NAME: the right end of a box.
plug() { ip -n "$(ns right)" link set "$1" master sw; }
unplug() { ip -n "$(ns right)" link set "$1" nomaster; }
ip -n "$(ns left)" link set l1 master sw

boxa='' boxb='' # their guards' pids
guard_start() { # BOX PORT...
	: >"$work/$1.log"
	ip netns exec "$(ns "$1")" "$guard" "${@:2}" 2>>"$work/$1.log" &
	children+=($!)
	eval "$1=$!"
}
# A broadcast and its answer: both switches learn anew where the two are.
pings() { in_ns left busybox arping -f -c 1 -w 1 -I sw 10.7.0.2 >/dev/null; }
# shut: how many of the four ports.
shut() { { in_ns boxa bash -c 'cat /sys/class/net/a[01]/brport/state'; in_ns boxb bash -c 'cat /sys/class/net/b[01]/brport/state'; } | grep -vc 3; }
shut_is() { [[ $(shut) == "$1" ]]; }
one_way() { shut_is 1 && pings; }
# one_way_for SECONDS: at each of these.
one_way_for() {
	local i
	for ((i = 0; i < $1; i++)); do
		one_way || return 1
		read -rt 1 <> <(:) || :
	done
}
calm() {
	local before
	before=$(in_ns left cat /sys/class/net/l0/statistics/rx_packets)
	read -rt 1 <> <(:) || :
	(($(in_ns left cat /sys/class/net/l0/statistics/rx_packets) - before < 200))
}
show() { sed 's/^/# /' "$work/boxa.log" "$work/boxb.log"; }

guard_start boxa a0 a1
guard_start boxb b0 b1
check 'one box: the two networks are one' wait_until 10 pings
check '... and nothing is shut' shut_is 0

plug r1
check 'a second box beside it: one port is shut, and the way is there' wait_until 10 one_way || show
check '... it stays so, for two of the times after which a port is tried again' one_way_for 11 || show
check '... without a storm' calm

# The one that forwards is unplugged.
[[ $(in_ns boxa bash -c 'cat /sys/class/net/a[01]/brport/state' | tr -d '\n') == 33 ]] && first=r0 second=r1 || first=r1 second=r0
unplug "$first"
check 'the box that forwards is unplugged: the other takes its place' wait_until 20 pings || show
plug "$first"
check '... it is back: one port is shut, and the way is there' wait_until 10 one_way || show
[[ $(in_ns boxa bash -c 'cat /sys/class/net/a[01]/brport/state' | tr -d '\n') == 33 ]] && second=r1 || second=r0
unplug "$second"
check 'the one that is shut is unplugged: its port opens, for no loop is left' wait_until 20 shut_is 0 || show
check '... the way is there' pings

# Both begin at the same moment, with the loop there, until both shut a port.
guards_end() {
	kill "$boxa" "$boxb"
	wait "$boxa" "$boxb" 2>/dev/null
	in_ns boxa bash -c 'for p in a0 a1; do bridge link set dev $p state 3; done'
	in_ns boxb bash -c 'for p in b0 b1; do bridge link set dev $p state 3; done'
}
both=0
plug "$second"
for _ in {1..60}; do
	guards_end
	export LOOPGUARD_AT=$((${EPOCHREALTIME/./} / 1000 + 300))
	guard_start boxa a0 a1
	guard_start boxb b0 b1
	wait_until 8 eval '(($(shut) > 0))'
	read -rt 0.3 <> <(:) || :
	if shut_is 2; then
		both=1
		break
	fi
done
if ((both)); then
	shut_at=${EPOCHREALTIME/./}
	check 'both look at the same moment, both shut a port: one opens again' wait_until 10 one_way || show
	ms=$(((${EPOCHREALTIME/./} - shut_at) / 1000))
	check "... within 4.5 s ($ms ms)" test "$ms" -lt 4500
	check '... the other does not' one_way_for 7 || show
else
	skip 'both look at the same moment, both shut a port: one opens again' 'it did not come to be in sixty tries'
	check 'one port is shut' wait_until 10 one_way
fi

# Made up, with other words and the lowest and the highest address, and what is heard sent back where it was heard.
unplug "$second"
wait_until 20 shut_is 0
cat >"$work/words.py" <<'END'
import os, socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("sw", 0))
s.settimeout(0.2)
heard = 0
end = time.time() + 5
while time.time() < end:
    for source in (bytes(6), bytes([0xfe]) + bytes([255] * 5)):
        s.send(b"\x03tarn\0" + source + b"\x88\xb5" + b"tarn-loop-1\0\0\0" + os.urandom(32))
    try:
        frame, where = s.recvfrom(2000)
    except TimeoutError:
        continue
    if frame[12:14] == b"\x88\xb5" and where[2] != 4:  # PACKET_OUTGOING
        heard += 1
        for _ in range(5):
            s.send(frame)
        s.send(frame[:-1] + bytes([frame[-1] ^ 1]))
        s.send(frame[:30])
print(heard)
END
: >"$work/boxa.log"
: >"$work/boxb.log"
heard=$(in_ns left python3 "$work/words.py")
check "a device hears words (${heard:-none}), makes up others, and sends them back: nothing is shut" \
	test "${heard:-0}" -gt 0 -a ! -s "$work/boxa.log" -a ! -s "$work/boxb.log" || show
check '... the way is there' pings
done_testing
