#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# Another disk with our image on it hangs in the machine, and its name comes first: an older box's, or the stick that this one was made
# with. The box takes the disk that the firmware has started, and writes nothing to the other.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
disk_make "$image" "$work/disk" 3G
disk_make "$image" "$work/other" 1G
cp --sparse=always "$work/other" "$work/other.before"
other() { # DEVICE
	vm_start "$work/disk" -drive "if=none,id=other,format=raw,file=$work/other" -device "$1,drive=other"
	check "$1: it is ready" becomes ready
	check "$1: both disks are there" vm 'ls /sys/block | grep -q sda && ls /sys/block | grep -q vda'
	check "$1: it runs on the one that was started" test "$(word disk name)" = vda || grep -a '^TARN disk' "$work/console" | sed 's/^/# /'
	check "$1: whose cache it has" test "$(word disk cache_mib)" -gt 2500
}
other ide-hd
vm 'cat /state/id; sync' >"$work/id"
vm_kill
check 'the other one was not written to' cmp "$work/other" "$work/other.before"
other usb-storage
check 'it is the same box' test "$(vm 'cat /state/id')" = "$(<"$work/id")"
vm 'sync'
vm_kill
check 'the other one was not written to' cmp "$work/other" "$work/other.before"
done_testing
