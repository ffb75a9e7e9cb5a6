#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# The smallest machine: 256 MB of memory, with a disk of 16 GiB. It is ready, its cache has the disk, and it serves many at once.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 16G
vendor_seed "$work/disk"
MEM=256 vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
ready_within 30
check '... with at most 96 MiB of memory used' test "$(word ready mem_used_kib)" -le $((96 << 10))
check 'the cache has the disk' test "$(word disk cache_mib)" -gt 15850
check 'it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
check 'objects come whole' objects_right dev1
check '... and again' objects_right dev2
check '... from the cache' grep -qi '^cache-status:.*hit' "$work/head.large.dev2"
many() {
	local pids=() pid failed=0 i
	for i in {1..20}; do
		object_right dev$((i % 2 + 1)) "$([[ $((i % 4)) == 0 ]] && echo large || echo small)" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	return "$failed"
}
check 'twenty at once get theirs' many
check 'nothing was killed for memory' vm '! dmesg | grep -i "out of memory\|oom-kill"'
check 'no program was started twice' test "$(times 'service name=')" = 0
vm 'free; tarnctl status' | sed 's/^/# /'
vm_kill
done_testing
