#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# What goes to a device by sendfile(2) is not copied: it stands in the socket's queue as pages of the store's file. While it
# is not acknowledged its chunks are evicted and their pages written anew; what the device gets then, on a connection that
# waits, that is closed, or whose proxy was killed, is right or not there.
#
#	device --- cable, on which frames are copied, get lost and are cut off --- tarn-proxy, a store of 64 MiB --> pace
set -u
((EUID == 0)) && [[ -z ${ACKED_SPACE:-} ]] && ACKED_SPACE=1 exec unshare -n "$0" "$@"
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/../wire/box.sh"
((EUID == 0)) || skip_all 'needs root, for network namespaces'
[[ -c /dev/net/tun ]] || skip_all 'there is no /dev/net/tun'

ip link set lo up
device=tarndev-$$
at_end() { ip netns del "$device"; }
ip netns add "$device"
# cable_lay [-l N]
cable_lay() {
	"$build/tests/tools/cable" "$@" /proc/$BASHPID/ns/net lan /run/netns/$device eth0 >"$dir/cable" &
	pids[cable]=$!
	wait_until 10 grep -q ready "$dir/cable" || exit 1
	ip addr add 10.9.0.1/24 dev lan && ip link set lan up
	ip -n "$device" addr add 10.9.0.2/24 dev eth0 && ip -n "$device" link set eth0 up
}
cable_turn() { # cut|mended
	kill -USR1 "${pids[cable]}"
	wait_until 10 eval "[[ \$(tail -n 1 '$dir/cable') == $1 ]]"
}

mkdir "$dir/www"
for i in {0..9}; do head -c 12M /dev/urandom >"$dir/www/$i"; done
for i in a b c d; do head -c 400000 /dev/urandom >"$dir/www/$i"; done

# The device, a line at a time: connect; ask NAME [close]; read NAME: is what comes the file's bytes? end; reset.
cat >"$dir/device.py" <<'END'
import socket, struct, sys
www, port = sys.argv[1], int(sys.argv[2])
s = f = None
def read(name):
    want = open(www + '/' + name, 'rb').read()
    try:
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            c = f.read(1)
            if not c:
                return 'cut in its head'
            head += c
        got = f.read(len(want))
    except OSError as e:
        return 'error %s' % e.__class__.__name__
    if got == want:
        return 'whole'
    return 'cut' if want.startswith(got) else 'WRONG'
def prefix(name):
    # All that comes until the end, which may be a reset.
    want, got = open(www + '/' + name, 'rb').read(), b''
    try:
        while True:
            c = s.recv(65536)
            if not c:
                break
            got += c
    except OSError:
        pass
    body = got.partition(b'\r\n\r\n')[2]
    return 'whole' if body == want else 'cut' if want.startswith(body) else 'WRONG'
for line in sys.stdin:
    word, *rest = line.split()
    answer = 'ok'
    if word == 'connect':
        s = socket.create_connection(('10.9.0.1', port), 10)
        s.settimeout(40)
        f = s.makefile('rb')
    elif word == 'ask':
        s.sendall(('GET /acme/%s HTTP/1.1\r\nHost: x\r\n%s\r\n' % (rest[0], 'Connection: close\r\n' if rest[1:] else '')).encode())
    elif word == 'read':
        answer = read(rest[0])
    elif word == 'prefix':
        answer = prefix(rest[0])
    elif word == 'reset':
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        f.close()
        s.close()
    print(answer, flush=True)
END
device_start() {
	coproc DEVICE { ip netns exec "$device" python3 "$dir/device.py" "$dir/www" "$port"; }
	pids[device]=$DEVICE_PID
}
# says LINE ANSWER
says() {
	local answer
	echo "$1" >&"${DEVICE[1]}"
	IFS= read -r -t 60 answer <&"${DEVICE[0]}"
	[[ $answer == "$2" ]] || { echo "# $1: $answer" && return 1; }
}

get() { curl -sS --max-time 20 "http://127.0.0.1:$port/acme/$1" | cmp - "$dir/www/$1"; }
box() { box_start -o cache.size=64M -o proxy.sendfile=yes -o "proxy.listen=0.0.0.0:$port"; }
by_file() { (($(wire stat bytes.by_sendfile) >= $1)); }

# churned NAME: that object is replaced, and more is stored than fits beside it. The vendor has a new version, then.
version=0
vendor_renew() {
	stop pace
	pace_start -e "\"v$((++version))\""
}
churned() {
	local i
	curl -sSf --max-time 20 -H 'Cache-Control: no-cache' -o /dev/null "http://127.0.0.1:$port/acme/$1" || return 1
	for i in {1..9} {1..9}; do get "$i" || return 1; done
	wire idle
}
# in_queue NAME [close]: the device asks for it and gets nothing yet; all of it is the socket's.
in_queue() {
	local before
	get "$1" || return 1
	wire idle
	says connect ok && says 'ask 0' ok && says 'read 0' whole || return 1 # so that the queue takes as much
	cable_turn cut
	before=$(wire stat bytes.by_sendfile)
	says "ask $*" ok
	wait_until 10 by_file $((before + 350000))
}

cable_lay -l 97
pace_start
box
device_start
check 'it is stored' get 0
wire idle
check 'a device connects' says connect ok
check '... asks' says 'ask 0' ok
check 'and gets it whole, also what was lost on the way' says 'read 0' whole
check '... sent without copying' by_file 8000000

check 'an answer that the device does not acknowledge' in_queue a
vendor_renew
check '... while its pages are written anew' churned a
check '... whose deletion waits' test "$(wire stat lease.deferred)" -ge 1
cable_turn mended
check '... comes whole and right' says 'read a' whole
check 'no lease is left' wire count lease.open 0
check 'the connection goes on' says 'ask 0' ok
check '... as before' says 'read 0' whole

check 'an answer after which the connection is closed' in_queue b close
vendor_renew
check '... while its pages are written anew' churned b
cable_turn mended
check '... comes whole and right' says 'read b' whole
check '... and to an orderly end' says 'prefix b' cut
check 'no lease is left' wire count lease.open 0

check 'an answer to a device that goes away' in_queue c
cable_turn mended
check '... which resets its connection' says reset ok
check 'no lease is left' wire count lease.open 0

check 'an answer of which nothing has come when the proxy is killed' in_queue d
stop box KILL
box
vendor_renew
check '... while its pages are written anew' churned d
cable_turn mended
check '... never comes with other bytes' eval "says 'prefix d' cut || says 'prefix d' whole"
done_testing
