#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# An update whose kernel panics: it is tried three times, then the box returns to the system before, with nobody's hand,
# and says why.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'updates are made of the same root tree' variants panics || done_testing

office
disk_make "$image" "$work/disk" 2G
vm_start "$work/disk"
check 'the factory image becomes ready' becomes ready
ready_say
check 'it reaches the web server' wait_until 60 online

mark
check 'one that panics is installed' fetch_install panics --restart now
check 'the box returns to the one before' becomes 'slots failed=0.3 .*running=0.1'
check 'and is ready' becomes 'ready .*version=0.1'
ready_say
check 'the history says why' history_has '.event == "failed" and .version == "0.3" and (.reason | length > 20)'
check 'and where it went' history_has '.event == "fallback" and .version == "0.1"'
check 'the office goes through it' wait_until 60 direct dev1 http://198.51.100.10/
check 'the same is not tried again' refused panics failed-before

vm 'tarnctl slots' | sed 's/^/# /'

vm_kill
done_testing
