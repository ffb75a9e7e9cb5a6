#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# An update that was cut short on the disk after it was installed, so that the firmware can't load it: its tries run down, and
# the system before runs.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'updates are made of the same root tree' variants good hangs || done_testing

office
disk_make "$image" "$work/disk" 2G
vm_start "$work/disk"
check 'the factory image becomes ready' becomes ready
ready_say
check 'it reaches the web server' wait_until 60 online
check 'an update is installed' fetch_install hangs --restart no
vm sync
vm_kill

check 'its file is cut short' slot_cut 'tarn-0.5+3.efi' 20000000
check 'an older one is there, and good' slot_put good 0.2 good
vm_start "$work/disk"
check 'after its tries the one before runs' becomes 'slots failed=0.5 .*running=0.2' 240
check '... and is ready' becomes 'ready .*version=0.2'
ready_say
check 'the history says why' \
	history_has '.event == "failed" and .version == "0.5" and (.reason | test("its own init was never reached"))'
vm_kill

done_testing
