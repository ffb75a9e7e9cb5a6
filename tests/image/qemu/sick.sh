#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# An update that starts, and never becomes healthy: it is tried three times, then the box returns to the system before,
# with nobody's hand, and says why. (How it comes onto the disk is for update.sh.)
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'an update is made of the same root tree' variants sick || done_testing

office
disk_make "$image" "$work/disk" 2G
check 'one that never becomes healthy is on the disk' slot_put sick 0.4
vm_start "$work/disk"
check 'it is on trial' becomes 'slots running=0.4 kind=trial'
check 'the box returns to the system before' becomes 'slots failed=0.4 .*running=0.1' 900
check 'after three tries' test "$(times 'slots trial=0.4 result=failed')" = 3
check 'for it was not healthy, which it says' says 'slots trial=0.4 result=failed reason="not healthy in 1s: tarnd does not answer"'
check 'the office goes through the box' wait_until 120 direct dev1 http://198.51.100.10/
check 'the history says why' \
	history_has '.event == "failed" and .version == "0.4" and (.reason | contains("not healthy in 1s: tarnd does not answer"))'
check 'and that the factory system runs' history_has '.event == "fallback" and .version == "0.1"'
check 'it is ready' becomes 'ready .*version=0.1' 300
ready_say
vm 'tarnctl slots' | sed 's/^/# /'

vm_kill
done_testing
