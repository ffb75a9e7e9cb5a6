#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What is stored goes out by sendfile(2), and that fails: at the Nth call of a download, for N = 1, 2, 3 ... until one passes without a
# fault. The device gets every byte all the same: a chunk that can't be read is fetched from the vendor again, where the store's
# file can't be sent it is copied, and a device that is gone costs nothing but its connection. The faults are made by
# tests/fault/sendfile.c. What becomes of the bytes that wait in a socket: tests/netns/acked.sh.
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
export WIRE_PROXY=$build/tests/fault/tarn-proxy TARN_FAULT=$dir/fault
BYTES=$((5 * 262128 + 100000)) # five chunks, and a piece

# fault CALLS TIMES ERROR [MOST]: from the next call of sendfile on.
fault() {
	perl -e 'print pack("q<4", @ARGV)' "$1" "$2" "$3" "${4:-1000000000}" |
		dd of="$TARN_FAULT" conv=notrunc status=none
}
left() { od -An -td8 -j8 -N8 "$TARN_FAULT" | tr -d ' '; } # of TIMES
truncate -s 4096 "$TARN_FAULT"
chmod 666 "$TARN_FAULT"
fault 0 0 0
mkdir -p "$dir/www"
head -c $BYTES /dev/urandom >"$dir/www/object"
pace_start
box_start -o proxy.sendfile=yes

get() { curl -sf --noproxy '*' --max-time 20 "$@" "http://127.0.0.1:$port/acme/object"; }
whole() { get | cmp -s - "$dir/www/object"; }
stored() { get -I | grep -qi '^cache-status: tarn; hit'; }
whole || exit 1
wait_until 10 stored || exit 1
wire idle
check 'it is sent from the file' eval 'whole && (($(wire stat bytes.by_sendfile) >= BYTES - 2 * 32768))'

# at_each NAME TIMES ERRNO: at each call in turn.
at_each() {
	local n wrong=0
	for ((n = 1; n < 50; n++)); do
		wait_until 10 stored || break
		fault "$n" "$2" "$3"
		whole || wrong=$((wrong + 1))
		[[ $(left) != "$2" ]] || break
	done
	fault 0 0 0
	echo "# $1: at $((n - 1)) calls"
	check "$1: every byte comes, whichever call it is" test $wrong = 0
	check "$1: until a download has no such call left" test $n -ge 6 -a $n -lt 50
}
asked() { wc -l <"$dir/requests"; } # lines of what the vendor is asked for
before=$(asked)
at_each 'a chunk can not be read (EIO)' 1 5
wire count flight.open 0 # which would serve them once more
at_each 'the file is cut short' 1 0
check 'the vendor was asked for those chunks' test "$(asked)" -ge $((before + 12))
asked=$(asked)
check 'it stays stored, and whole' eval 'wait_until 10 stored && whole'
at_each 'the device is not ready (EAGAIN)' 1 11
at_each '... and a signal comes (EINTR)' 1 4
fault 0 0 0 7000
check 'a few bytes a call' whole
fault 0 0 0

# Another kind of file system, or a kernel that says no: from then on the connection is copied to.
for error in EINVAL:22 ENOSYS:38 EPERM:1; do
	before=$(wire stat bytes.by_sendfile)
	fault 3 1000 "${error#*:}"
	check "${error%:*}: every byte comes, copied" whole
	check '... after one try' test "$(left)" = 999
	check '... the rest of it, too' test $(($(wire stat bytes.by_sendfile) - before)) -le $((2 * 262128))
	fault 0 0 0
done

# The device has reset the connection.
aborted=$(wire stat conn.aborted)
fault 2 1 104
check 'ECONNRESET: that one is cut' eval '! get -o /dev/null'
check '... and counted' test "$(wire stat conn.aborted)" -gt "$aborted"
fault 0 0 0
check 'the next one is served' whole
check 'for none of these the vendor was asked' test "$(asked)" = "$asked"
stop box
check 'it ends well' test $? = 0
done_testing
