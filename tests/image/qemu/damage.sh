#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# Damage on the disk. Superblocks and the partition table's first copy are zeroed: all of it is mended, it is the same box, with
# the same password and objects. Then random bytes are over both superblocks and what follows them: the box starts.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/image/qemu/known.sh
. "$(dirname "$0")/known.sh"

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
