#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# The other board of Kconfig, "QEMU and other hosts of virtual machines": its image has fewer drivers, is smaller, does its
# work in such a machine, and takes no update of the image for any machine.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
built=$BUILD/board images=$BUILD/tests/image/board
image=$images/tarn.img.zst
mkdir -p "$built" "$images"
programs() {
	echo CONFIG_BOARD_QEMU=y >"$built/choice"
	make -C "$top" --no-print-directory BUILD="$built" CONFIG="$built/choice" all boot-programs
}
needs_packages
check 'the programs are built' programs || done_testing
needs
check 'the image is built' image_have || done_testing
check 'its files have the name of the board' test -f "$(echo "$images"/tarn-*-"$ARCH"-qemu-debug.img.zst)"
driver() { find "$images/image/$ARCH/root" -name "$1.ko" | grep .; }
check 'drivers of virtual ports are in it' driver virtio_net
refuse 'those of real ones are not' driver igb
check 'it is smaller than 40 MiB' test "$(stat -L -c %s "$image")" -lt $((40 << 20))
office
check 'an update for any machine is made' foreign_update "$ARCH"
disk_make "$image" "$work/disk" 2G
vm_start "$work/disk"
check 'the office goes through it before anything of ours runs' wait_until 120 direct dev1 http://198.51.100.10/
check 'it is ready' becomes ready
ready_say
check 'both ports are in the bridge' test "$(word ready ports)" = 2
check 'the hardware watchdog is held' says 'watchdog open=yes'
check 'it reaches the web server' wait_until 60 online
check 'an update for any machine is refused' refused foreign other-arch
check 'the history says for which, and what this is' history_has ".event == \"refused\" and (.reason | contains(\"$ARCH, not $ARCH-qemu\"))"
vm_kill
done_testing
