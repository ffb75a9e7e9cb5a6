#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# A disk that fills up. More is asked for than the cache can hold; then somebody fills the rest of its partition, and that of the
# state: devices get every byte all the same, a change that can't be kept is refused, and the box starts again as what it was.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
for i in {1..16}; do head -c 9000000 /dev/urandom >"$work/files/many$i"; done
touch -d '10 days ago' "$work"/files/many*
disk_make "$image" "$work/disk" 600M
vendor_seed "$work/disk"
vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
check 'the cache is a small one' test "$(word disk cache_mib)" -lt 140
check 'it intercepts' wait_until 120 intercepted dev1 $v4/
all() { # FIRST LAST
	local i
	for ((i = $1; i <= $2; i++)); do object_right dev1 "many$i" || return 1; done
}
check 'more than it can hold comes whole' all 1 16
check '... twice' all 1 16
evicted() { vm 'tarnctl cache stat --json' | jq -e '.evicted > 0'; }
check '... what is old made room' evicted || vm 'tarnctl cache stat' | sed 's/^/# /'

vm 'dd if=/dev/zero of=/var/cache/tarn/filler bs=64k 2>/dev/null; dd if=/dev/zero of=/var/cache/tarn/filler.2 bs=512 2>/dev/null
	df /var/cache/tarn' | sed 's/^/# /'
check 'the rest of its disk is full: objects come whole' objects_right dev1
check '... also those that went' all 1 16
check '... to others, too' objects_right dev2
check '... no program has ended' test "$(times 'service name=')" = 0

check 'the first password is shown' becomes 'password role=operate value='
password=$(word password value)
vm 'dd if=/dev/zero of=/state/filler bs=64k 2>/dev/null; dd if=/dev/zero of=/state/filler.2 bs=512 2>/dev/null; df /state' | sed 's/^/# /'
vm 'cat /state/id; md5sum </state/etc/tarn.conf' >"$work/id"
refuse 'no room for the state: a setting is not changed' vm 'tarnctl config set cache.heuristic_max=2h'
check '... devices are served' objects_right dev2
check '... the box is what it was' test "$(vm 'cat /state/id; md5sum </state/etc/tarn.conf')" = "$(<"$work/id")"
vm sync
vm_kill
vm_start "$work/disk"
check 'it starts with both full' becomes ready
ready_say
check '... as the same box' test "$(vm 'cat /state/id; md5sum </state/etc/tarn.conf')" = "$(<"$work/id")"
check '... it intercepts' wait_until 120 intercepted dev1 $v4/ || { vm 'tarnctl status' | sed 's/^/# /'; console_show; }
check '... objects come whole' objects_right dev1
check '... the password is the same' page_opens "$password"
check '... and with room again settings are taken' \
	vm 'rm /state/filler* /var/cache/tarn/filler* && tarnctl config set cache.heuristic_max=2h && tarnctl config confirm'
vm_kill
done_testing
