#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# Another DHCP server, which takes itself for the only one and leads nowhere. It tells the box that its address is none (NAK), and
# gives it another; the office goes through the box all the time. Then it is gone, and the box finds back.
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
passes() { direct "$@" || intercepted "$@"; }
check 'it is ready' becomes ready
ready_say
check 'it has an address' wait_until 60 has_address 10.7.0.
check 'it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
rogue_start
kill "$dhcp"
# Asks its own server, which is silent, then anybody.
check 'the other server says that its address is none' wait_until 180 grep -q DHCPNAK "$work/rogue.log"
check '... and gives it another' wait_until 60 has_address 10.99.0. || sed 's/^/# /' "$work/rogue.log"
only() { has_address "$1" && ! has_address "$2"; }
check '... it has that one alone' only 10.99.0. 10.7.0.
check '... the office goes through it' wait_until 60 passes dev1 $v4/
check '... by IPv6, too' wait_until 60 passes dev1 "$v6/"
check '... what it gets is right' objects_right dev2
kill "$rogue"
dhcp_start
check 'that one is gone: the box has its address again' wait_until 200 only 10.7.0. 10.99.0.
check '... and intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
vm_kill
done_testing
