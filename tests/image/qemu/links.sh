#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
#
# The network around the box goes wrong: nobody gives it an address, then somebody does; links flap while a device downloads; its
# cables are swapped; another DHCP server answers, of a network that leads nowhere. Devices get through at all times.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

topology bridge
vm_network
vendor_objects
head -c 20000000 /dev/urandom >"$work/files/long"
touch -d '10 days ago' "$work/files/long"
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
vm_start "$work/disk"

# passes: whoever answers, the device gets it.
passes() { direct "$@" || intercepted "$@"; }
addresses() { vm 'cat /run/tarn/appliance.json' | jq -c .addresses; }
has_address() { [[ $(vm 'ip -4 -o addr show dev br0') == *" $1"* ]]; }

check 'no DHCP: it is ready' becomes ready
ready_say
check '... the office goes through it' wait_until 60 direct dev1 $v4/
refuse '... it has no address' has_address 10.7.0.
check '... which it knows' eval '[[ $(addresses) == "[]" ]]' || addresses
check '... and asks again and again' vm 'pidof udhcpc'
dhcp_start
check 'somebody gives one: it has it' wait_until 60 has_address 10.7.0.
check '... and intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
check '... objects come whole' objects_right dev1

# flap PORT TIMES
flap() {
	local i
	for ((i = 0; i < $2; i++)); do
		qmp '{"execute":"set_link","arguments":{"name":"'"$1"'","up":false}}'
		read -rt 0.7 <> <(:) || :
		qmp '{"execute":"set_link","arguments":{"name":"'"$1"'","up":true}}'
		read -rt 0.7 <> <(:) || :
	done
}
in_ns dev1 curl -sS --max-time 120 --limit-rate 2M -H 'Host: mirror.vendor.example' -o "$work/long" "$v4/files/long" &
long=$!
flap wan 4
flap lan 4
wait "$long"
check 'links flap: a download that runs is whole' cmp "$work/long" "$work/files/long"
check '... then the office goes through' wait_until 30 passes dev2 $v4/
check '... and is intercepted' wait_until 120 intercepted dev2 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
check '... both ports are in the bridge' test "$(vm 'ls /sys/class/net/br0/brif | wc -l')" = 2

ip -n "$(ns box)" link set tlan master bwan
ip -n "$(ns box)" link set twan master blan
check 'cables swapped: the office goes through' wait_until 60 passes dev1 $v4/
check '... and is intercepted' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'

# Another one, quicker than the right one, which for a while is not there at all. It leads nowhere.
kill "$dhcp"
rogue_start
check 'the box asks anew' vm 'kill $(pidof udhcpc)'
check '... another server answers' wait_until 60 has_address 10.99.0.
check '... the office goes through it' wait_until 60 passes dev1 $v4/
check '... what it gets is right' objects_right dev2
vm_kill
done_testing
