#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# Damage on the disk. Superblocks and the partition table's first copy are zeroed: all of it is mended, it is the same box, with
# the same password and objects. Then random bytes are over both superblocks and what follows them: the box starts.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
# onto AT_KIB COUNT_KIB FROM: bytes over the disk; partitions begin at 1 (ESP), 129 (slots), 385 (state) and 481 MiB (cache).
mib=1024
onto() { dd if="$3" of="$work/disk" bs=1K seek="$1" count="$2" conv=notrunc status=none; }
started() { # WHAT
	vm_start "$work/disk"
	check "$1: it is ready" becomes ready
	ready_say
	grep -aE '^TARN (disk|slots|clock)' "$work/console" | sed 's/^/# /'
	check "$1: it intercepts" wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
	check "$1: what it serves is right" objects_right dev1
}
started 'new'
check 'the first password is shown' becomes 'password role=operate value='
password=$(word password value)
check '... it opens the page' wait_until 30 page_opens "$password"
vm 'cat /state/id' >"$work/id"
kept() { vm 'grep -q "^operate scrypt" /state/lib/access'; }
check '... it is kept beside the cache' wait_until 30 kept
check 'it is switched off' vm 'sync; tarnctl slots >/dev/null'
vm_kill

fsck_show() { vm 'grep -ah "e2fsck\|tarn-cache\|uperblock" /run/early.log /state/log/tarn.log | tail -n 40' | sed 's/^/# /'; }
dd if=/dev/zero of="$work/disk" bs=512 seek=1 count=33 conv=notrunc status=none # the table's first copy
onto $((385 * mib)) 4 /dev/zero
onto $((481 * mib)) 4 /dev/zero
started 'superblocks lost'
check '... state and cache are mended' says 'disk .*state=mended cache=mended .*error=0' || fsck_show
check '... it is the same box' test "$(vm 'cat /state/id')" = "$(<"$work/id")"
check '... objects come from the cache' grep -qi '^cache-status:.*hit' "$work/head.large.dev1"
check '... the table is whole again' eval 'vm sync && sfdisk --verify "$work/disk" 2>&1 | grep -i "no errors"'
check '... the password is the same' wait_until 30 page_opens "$password"
vm_kill

for at in 385 481; do onto $((at * mib)) 64 /dev/urandom; done
started 'random bytes over both superblocks'
check '... they are mended, or new' says 'disk .*state=(mended|new) cache=(mended|new) .*error=0'
vm_kill

done_testing
