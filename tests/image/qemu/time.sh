#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# The machine's clock is hours ahead, as where another system kept local time in it, and the network comes late: as soon as a time
# server answers the clock is right. A clock that cannot be right is for clock.sh, time servers switched off for seed.sh.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

topology bridge
vm_network
vendor_objects
echo 'address=/pool.ntp.org/198.51.100.10' >>"$work/dnsmasq.conf"
kill "${children[1]}"
ip netns exec "$(ns vendor)" dnsmasq -C "$work/dnsmasq.conf" 2>"$work/dnsmasq.log" &
children+=($!)
in_ns vendor "$here_image/ntp.py" 198.51.100.10 2>"$work/ntp.log" &
children+=($!)
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
RTC=$(date -u -d '9 hours' +%Y-%m-%dT%H:%M:%S) vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
off() { local o; o=$(($(vm 'date +%s') - $(date +%s))); echo "$o s off"; ((${o#-} < $1)); }
refuse 'its clock is hours ahead' off 3600
dhcp_start
check 'with an address it asks for the time, and is right' wait_until 180 off 5 || { cat "$work/ntp.log"; vm 'ps w; cat /run/resolv.conf; tail -n 20 /state/log/tarn.log'; } | sed 's/^/# /'
check 'it intercepts' wait_until 120 intercepted dev1 $v4/
check 'objects come whole' objects_right dev1
vm_kill
done_testing
