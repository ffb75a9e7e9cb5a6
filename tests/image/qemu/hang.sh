#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# An update that hangs while it is on trial: pid 1 stands still, then the kernel does, with interrupts off. The hardware's
# watchdog starts the machine again each time, and in the end the box runs the system before, with nobody's hand, and says why.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'an update is made of the same root tree' variants hangs || done_testing

office
disk_make "$image" "$work/disk" 2G
check 'one that will hang is on the disk, with two tries' slot_put hangs 0.5 2
vm_start "$work/disk"

check 'it is on trial' becomes 'slots running=0.5 kind=trial'
mark
check 'pid 1 stands still' pid1_freeze
check '... the machine starts again by itself' becomes 'slots running=0.5 kind=trial' 180
mark
check 'the kernel stands still' kernel_freeze
check '... the box runs the system before' becomes 'slots failed=0.5 .*running=0.1' 180
check 'which is ready' becomes 'ready .*version=0.1'
ready_say
check 'the history says how far it came' history_has '.event == "failed" and .version == "0.5" and
	(.reason | test("did not become healthy; came as far as: (started|services|ready)"))'
check '... and what runs now' history_has '.event == "fallback" and .version == "0.1"'
check 'the office goes through it' wait_until 60 direct dev1 http://198.51.100.10/
check 'the same is not tried again' refused hangs failed-before

vm 'tarnctl slots' | sed 's/^/# /'
vm_kill
done_testing
