#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# pid 1 stands still where the watchdog is the chipset's, and where there is none: then the kernel's own is there. The machine
# starts again by itself.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'an update is made that knows no watchdog' variants nodog || done_testing

office
disk_make "$image" "$work/disk" 2G
ends() { # WHAT WATCHDOG
	check "$1: there is a watchdog" becomes "watchdog open=yes .*name=\"$2\""
	check "$1: the system is up" becomes 'slots running='
	mark
	check "$1: pid 1 stands still" pid1_freeze
	check "$1: the machine starts again by itself" becomes 'init up_ms' 300
	check "$1: and is ready" becomes ready
}
WATCHDOG=chipset vm_start "$work/disk"
ends chipset iTCO_wdt
vm_kill
check 'a system is there that knows no watchdog' slot_put nodog 0.6 good
vm_start "$work/disk"
ends none 'Software Watchdog'
check 'the office goes through it' wait_until 60 direct dev1 "$v4/"
vm_kill
done_testing
