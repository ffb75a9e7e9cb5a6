#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# An update that the admin page sends from a device's side, in pieces over HTTPS, with the password of the console: installed
# like any other. Emulated, those 45 MB take minutes.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'an update is made of the same root tree' variants good || done_testing

office
disk_make "$image" "$work/disk" 2G
vm_start "$work/disk"
check 'the factory image becomes ready' becomes ready
has_address() { # it may be ready before it has one
	box=$(vm 'ip -4 -o addr show dev br0' | grep -oE '10\.7\.0\.[0-9]+' | head -n 1)
	[[ -n $box ]]
}
wait_until 60 has_address || exit 1
check 'the console shows the password' wait_until 60 says 'password role=operate value='
uploaded() { # FILE STATE TEXT
	local said
	said=$(PASSWORD=$(word password value) in_ns dev1 "$here/../image/qemu/upload.py" "$box" "$1" no)
	echo "$said"
	[[ $said == "$2 $3" ]]
}
check 'the update, uploaded, is installed' uploaded "$work/files/good.update" installed ''
check '... into a slot' eval "vm 'tarnctl slots --json' | jq -e '.slots[0].version == \"0.2\"'"
check '... and none of it is left' vm '! ls /var/cache/tarn | grep update'
vm_kill
done_testing
