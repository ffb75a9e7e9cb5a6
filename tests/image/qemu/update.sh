#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# Updates of a running box: what must not be installed is refused with nothing changed; a good one is started, found
# healthy and marked good.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'updates are made of the same root tree' variants good old || done_testing
cd "$work/files" || exit 1
cp "${image%.img.zst}.update" same.update
head -c 9000000 good.update >truncated.update
sed '0,/^version=0.2$/s//version=0.9/' good.update >unsigned.update
cp --remove-destination good.update tampered.update
printf 'x' | dd of=tampered.update bs=1 seek=20000000 conv=notrunc status=none
head -c 100000 /dev/urandom >noise.update

office
disk_make "$image" "$work/disk" 2G
esp() { head -c $((129 << 20)) "$work/disk" | tail -c $((128 << 20)) | sha256sum; } # the first partition
before=$(esp)
vm_start "$work/disk"
check 'the factory image becomes ready' becomes ready
ready_say
check 'it reaches the web server' wait_until 60 online
slots_now() { vm 'tarnctl slots --json' | jq -c .slots; }
VIA='file' check 'one that is cut short is refused' refused truncated truncated
check 'one that nobody signed is refused' refused unsigned unsigned
check 'one with another byte in it is refused' refused tampered tampered
check 'an older one is refused' refused old too-old
check 'the version that runs is refused' refused same running
check 'what is no update at all is refused' refused noise not-an-update
check 'so is one that is not there' refused nothing not-fetched
fetched_head() { vm 'tarnctl stat' | awk '$1 == "admin.downloads" { exit !($2 >= 5) }'; }
check 'they came by tarn-proxy' fetched_head
check 'nothing is left of them' vm '! ls /var/cache/tarn | grep update'
check 'nothing was written for any of them' test "$(slots_now)" = '[]'
check 'the history has them' history_has '.event == "refused" and (.reason | length > 10)'

mark
check 'a good one is installed' fetch_install good --restart now
check 'the box starts it, on trial' runs 0.2 trial
check 'it is healthy, and marked good' becomes 'slots good=0.2 error=0'
check 'for its selftest passed' says 'selftest state=ok ways=[2-9]'
check 'the history says so' history_has '.event == "good" and .version == "0.2"'
check 'the office goes through it' wait_until 60 direct dev1 http://198.51.100.10/

vm 'tarnctl slots' | sed 's/^/# /'
vm sync
vm_kill
check "nothing was ever written to the firmware's partition" test "$(esp)" = "$before"
done_testing
