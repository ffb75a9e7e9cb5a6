#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# Damage on the disk: superblocks of state and cache and the partition table's first copy are zeroed. It is the same box, and
# the table is whole again.
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
vm 'cat /state/id' >"$work/id"
check 'it is switched off' vm 'sync; tarnctl slots >/dev/null'
vm_kill

dd if=/dev/zero of="$work/disk" bs=512 seek=1 count=33 conv=notrunc status=none # the table's first copy
onto $((385 * mib)) 4 /dev/zero
onto $((481 * mib)) 4 /dev/zero
started 'superblocks lost'
# The cache may be made anew, with the passwords that are kept in it.
check '... the state is mended' says 'disk .*state=mended cache=(mended|new) .*error=0'
check '... it is the same box' test "$(vm 'cat /state/id')" = "$(<"$work/id")"
check '... the table is whole again' eval 'vm sync && sfdisk --verify "$work/disk" 2>&1 | grep -i "no errors"'
vm_kill

done_testing
