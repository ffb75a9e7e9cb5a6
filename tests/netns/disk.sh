#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# A disk that is full, that fails, that is read-only, whose folder or files are somebody else's, gone or garbage, under
# both real programs (the topology of lib.sh): each download comes whole and right, from the vendor if not from the
# store; counters, events and `tarnctl status` say what is wrong; when the disk is well again the store is, too.
#
# The store is on file systems of this test's own mount namespace: a small tmpfs, and an ext4 whose device lies in a
# file on a tmpfs that is too small for it, so that its blocks can't be written: the device's I/O errors.
set -u
# Mounts of this script reach the programs' namespaces (ip netns makes them slaves of this one), and nobody else.
if ((EUID == 0)) && [[ -z ${DISK_SPACE:-} ]]; then
	DISK_SPACE=1 exec unshare -m --propagation private bash -c 'mount --make-rshared / && exec "$@"' - "$0" "$@"
fi
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

PROXY=$BUILD/bin/tarn-proxy
topology bridge
config 'lan = lan0' 'wan = wan0'
cat >>"$work/tarn.conf" <<END
size = 32M
[dns]
servers = 198.51.100.53
probe_interval = 1s
timeout = 300ms
END
cache=$work/cache
for i in {1..40}; do head -c 700001 /dev/urandom >"$work/files/$i"; done
touch -d '10 days ago' "$work"/files/*

loop=''
disk_clean() {
	KEEP=1 clean
	umount -l "$cache" "$work/device" 2>/dev/null
	[[ -z $loop ]] || losetup -d "$loop"
	rm -rf "$work"
}
trap disk_clean EXIT
trap 'disk_clean; exit 130' INT TERM

ctl() { "$BUILD/bin/tarnctl" -s "$work/proxy.sock" "$@"; }
api() { curl -sf --max-time 5 --unix-socket "$work/proxy.sock" "http://tarn$1"; }
stat() { api /api/v1/stat | jq -r ".counters[] | select(.name == \"$1\").value"; }
stat_over() { (($(stat "$1") > $2)); }
state() { api /api/v1/status | jq -r .cache.state; }
state_is() { [[ $(state) == "$1" ]]; }
event() { api '/api/v1/events?limit=1000' | jq -e ".events[] | select(.what == \"$1\")"; }
fetch() {
	in_ns dev1 curl -sS --noproxy '*' --max-time 10 --resolve mirror.vendor.example:80:198.51.100.10 \
		"$@"
}
# same N...: the files come whole and right.
same() {
	local i ask=()
	for i; do
		rm -f "$work/got.$i"
		ask+=(-o "$work/got.$i" "http://mirror.vendor.example/files/$i")
	done
	fetch "${ask[@]}" || return 1
	for i; do cmp "$work/got.$i" "$work/files/$i" || return 1; done
}
via_us() { fetch -o /dev/null -D - "http://mirror.vendor.example/files/$1" | grep -qi '^Via: .*tarn'; }
is_hit() { fetch -o /dev/null -D - "http://mirror.vendor.example/files/$1" | grep -qi '^Cache-Status:.*hit'; }
idle() { [[ $(api /api/v1/status | jq .cache.queue_bytes) == 0 ]]; }

# Not under check: it sets $tarnd.
on() {
	tarnd_start
	wait_until 10 in_ns box ip link show br0
	addr box br0 10.7.0.2/24 2001:db8:7::2/64
	via box 10.7.0.1 2001:db8:7::1
	wait_until 15 armed && wait_until 5 via_us 1
}
# again: the proxy is killed, and serves again.
again() {
	local old
	old=$(proxy_pid)
	kill -KILL "$old"
	wait_until 20 eval 'armed && [[ $(proxy_pid) != '"$old"' ]] && via_us 1'
}
tmpfs() {
	mount -t tmpfs -o "size=$1,mode=700" disk "$cache" && chown nobody "$cache"
}

# ---- full ----------------------------------------------------------------------------------------

tmpfs 24m
on || { logs_show; exit 1; }
check 'downloads are stored' eval 'same {1..4} && is_hit 3 && wait_until 10 idle'
fill() {
	dd if=/dev/zero of="$cache/filler" bs=64k 2>/dev/null
	(($(df --output=avail "$cache" | tail -n 1) < 64))
}
check 'something else fills the disk: every download comes' eval 'fill; same {1..12}'
check '... counters say so' wait_until 5 stat_over store.commit_errors 0
check '... and an event' event store.full
# With a little luck it lives in the room that its own file has: then that is a note.
check '... and the status, with what to do' eval '
	ctl status | tee /dev/stderr | grep -qE "disk is full: free some|failed since the start, last by ENOSPC"'
rm "$cache/filler"
check 'there is room again: the store heals by itself' wait_until 20 state_is serving
check '... and answers' eval 'same 13 && wait_until 10 idle && is_hit 13'

# ---- files that go, or are changed by others ------------------------------------------------------

rm "$cache"/store.mdb
check 'its file is removed: every download comes' same {11..14}
check '... a new one is begun' wait_until 10 test -f "$cache/store.mdb"
check '... and answers' eval 'same 14 && wait_until 10 idle && is_hit 14'
rm "$cache"/*
check 'all its files are removed: every download comes' same {12..15}
check '... and answers' eval 'wait_until 10 test -f "$cache/store.mdb" && same 15 && wait_until 10 idle && is_hit 15'
wait_until 10 idle
head -c 100 /dev/urandom >"$cache/lock"
check 'a damaged lock file: after a start what was stored is there' eval 'again && is_hit 15'
truncate -s 100000 "$cache/store.mdb"
check 'its file is cut: no download comes wrong' eval 'for i in 15 14 13; do same $i || same $i || exit; done'
check '... and the store answers again' wait_until 30 eval 'same 16 && is_hit 16'
head -c 300000 /dev/urandom >"$cache/store.mdb"
check 'garbage at a start: set aside' eval 'again && ls "$cache" | grep -q "broken-"'
check '... every download comes, and is stored' eval 'same {16..18} && wait_until 10 idle && is_hit 18'

# ---- wrong permissions -----------------------------------------------------------------------------

chown root: "$cache" && chmod 000 "$cache"
check 'a folder of somebody else, while it runs: every download comes' same {17..20}
check 'at a start: every download comes' eval 'again && same 17 21'
check '... the status says what is wrong' eval 'ctl status | tee /dev/stderr | grep -q "must belong to the user"'
chmod 700 "$cache" && chown nobody: "$cache"
check 'mended: the store heals by itself, and has what it had' eval 'wait_until 30 state_is serving && is_hit 18'

# ---- a folder that is not there ----------------------------------------------------------------------

umount -l "$cache" && rmdir "$cache"
check 'no folder at a start: it is made' eval 'again && state_is serving && test -f "$cache/store.mdb"'
rm -rf "$cache"
check 'removed while it runs: every download comes' same {20..22}
check '... the status says so' wait_until 10 eval 'ctl status | tee /dev/stderr | grep -q "is gone: make it again"'
check '... a start makes it again' eval 'again && state_is serving && same 22 && wait_until 10 idle && is_hit 22'

# ---- a disk that fails ------------------------------------------------------------------------------

device() {
	mkdir "$work/device"
	mount -t tmpfs -o size=7m device "$work/device" && truncate -s 64M "$work/device/disk" &&
		mkfs.ext4 -q -O ^has_journal -E nodiscard "$work/device/disk" &&
		loop=$(losetup -f --show "$work/device/disk") &&
		mount -o errors=continue "$loop" "$cache" && chown nobody: "$cache"
}
if ! device 2>"$work/device.log"; then
	skip 'a disk that fails' "no loop device with ext4: $(tail -n 1 "$work/device.log")"
else
	mount -o remount,ro "$cache"
	check 'read-only at a start: every download comes' eval 'again && same {23..25}'
	check '... the status says so' eval 'ctl status | tee /dev/stderr | grep -q "file system is read-only"'
	mount -o remount,rw "$cache"
	check 'writable again: the store heals by itself' \
		wait_until 20 eval 'state_is serving && same 25 && wait_until 10 idle && is_hit 25'
	mount -o remount,errors=remount-ro "$cache"
	echo 1 >"/sys/fs/ext4/${loop#/dev/}/trigger_fs_error"
	check 'made read-only by an error: every download comes' same {24..27}
	check '... the status says so' wait_until 10 eval 'ctl status | tee /dev/stderr | grep -q "file system is read-only"'
	check '... what is stored is still answered' is_hit 25
	tarnd_stop
	check 'mounted anew: a start finds what was stored' eval 'umount "$cache" && mount -o errors=continue "$loop" "$cache"' && on
	check '... and answers' is_hit 25
	errors=$(stat store.commit_errors)
	check 'writes that fail: every download comes' same {26..37}
	check '... counters say so' wait_until 10 stat_over store.commit_errors "$errors"
	check '... and an event' eval 'event store.state | grep -q "from=serving"'
	check '... what was stored, too' same {25..36}
	mount -o remount,size=96m "$work/device"
	check 'a disk that works again: the store heals by itself' \
		wait_until 20 eval 'state_is serving && same 24 && wait_until 10 idle && is_hit 24'
fi

tarnd_stop
check 'tarnd ends with status 0' test "$tarnd_status" -eq 0
done_testing
