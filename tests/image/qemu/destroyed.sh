#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# Good systems are destroyed on the disk: they are not counted, so no tries would run down. One of two is cut short: the factory's
# system removes it, and the other runs. Then that one is random bytes: the factory's runs, says why, and takes updates.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'updates are made of the same root tree' variants good hangs || done_testing

office
disk_make "$image" "$work/disk" 2G
check 'two are there, and good' eval 'slot_put good 0.2 good && slot_put hangs 0.5 good'
check 'the newer one is cut short' slot_cut tarn-0.5.efi 20000000
vm_start "$work/disk"
check 'the factory removes it' becomes 'slots unloadable=0.5 action=removed' 180
check '... and starts the machine again, for the one before' becomes 'slots running=0.2 kind=good'
check '... which is ready' becomes 'ready .*version=0.2'
ready_say
check 'the history says why' \
	history_has '.event == "failed" and .version == "0.5" and (.reason | test("could not be loaded"))'
vm 'cat /state/id' >"$work/id"
vm sync
vm_kill

check 'that one is random bytes' slot_random tarn-0.2.efi
vm_start "$work/disk"
check "the factory's system runs" becomes 'slots running=0.1 kind=factory' 180
check '... and is ready' becomes 'ready .*version=0.1'
ready_say
check 'which says that there is a newer one' says 'slots passed_over=0.2 running=0.1'
check '... also in the history' \
	history_has '.event == "fallback" and .version == "0.1" and (.reason | test("0.2 was good, and was not started"))'
check 'it is the same box' test "$(vm 'cat /state/id')" = "$(<"$work/id")"
check 'the office goes through it' wait_until 60 direct dev1 http://198.51.100.10/
check 'it reaches the web server' wait_until 60 online
mark
check 'it takes the update that was lost' fetch_install good --restart now
check '... which runs' runs 0.2 trial

vm 'tarnctl slots' | sed 's/^/# /'
vm_kill
done_testing
