#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# The DHCP server is gone for longer than the lease: the box has no address any more, and the office goes through it; the server
# comes back: it has its address again, and intercepts.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

export LEASE=2m # no server of this kind takes less
office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
vm_start "$work/disk"
has_address() { [[ $(vm 'ip -4 -o addr show dev br0') == *" $1"* ]]; }
check 'it is ready' becomes ready
ready_say
check 'it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
check 'objects come whole' objects_right dev1
kill "$dhcp"
gone() { ! has_address 10.7.0.; }
check 'the lease runs out: it has no address' wait_until 180 gone
passes() { direct "$@" || intercepted "$@"; }
check '... the office goes through it' wait_until 20 passes dev1 $v4/
check '... by IPv6, too' wait_until 20 passes dev1 "$v6/"
check '... what it gets is right' objects_right dev2
check '... it goes on asking' vm 'pidof udhcpc'
dhcp_start
check 'the server is back: the box has its address' wait_until 90 has_address 10.7.0.
check '... and intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
from_cache() { objects_right dev1 && grep -qi '^cache-status:.*hit' "$work/head.large.dev1"; }
check '... from the cache' from_cache
check 'no program has ended' test "$(times 'service name=')" = 0
vm_kill
done_testing
