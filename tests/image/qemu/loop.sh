#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# Somebody connects both sides of the box by another cable: a loop, and a storm. The box finds it, and forwards by one port alone;
# the office goes on by that cable; taken away, the box is in line again. A device that sends the box's words back changes nothing.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
check 'it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
passes() { direct "$@" || intercepted "$@"; }
received() { in_ns box cat /sys/class/net/tlan/statistics/tx_packets; }
# calm: fewer than 500 frames in a second.
calm() {
	local before
	before=$(received)
	read -rt 1 <> <(:) || :
	echo $(($(received) - before))
	(($(received) - before < 500))
}
mark
ip -n "$(ns box)" link add vlan type veth peer name vwan
ip -n "$(ns box)" link set vlan master blan
ip -n "$(ns box)" link set vwan master bwan
ip -n "$(ns box)" link set vlan up
ip -n "$(ns box)" link set vwan up
in_ns dev1 busybox ping -c 1 -W 1 10.7.0.77 >/dev/null
check 'a loop is found, and one port is shut' becomes 'loop port=.* to=.* action=block error=0' 60
check '... there is no storm' wait_until 30 calm
check '... one port is enough' test "$(times 'loop .*action=block')" = 1
check '... the other forwards' test "$(vm 'cat /sys/class/net/br0/brif/*/state | sort | tr "\n" " "')" = '0 3 '
check '... the office goes on' wait_until 60 passes dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
check '... what it gets is right' objects_right dev2
check '... it is known' wait_until 10 vm 'grep -q "\"ports_blocked\": 1" /run/tarn/appliance.json'
mark
ip -n "$(ns box)" link del vlan
check 'the cable is gone: both forward' becomes 'loop port=.* action=forward error=0' 60
check '... the office goes through it' wait_until 60 passes dev1 $v4/
check '... and is intercepted' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'

# Sent back on the side where it was heard, also many times.
cat >"$work/echo.py" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
s.bind(("eth0", 0x88b5))
s.settimeout(10)
heard = 0
end = time.time() + 12
while time.time() < end:
    try:
        frame = s.recv(2000)
    except TimeoutError:
        break
    heard += 1
    for _ in range(20):
        s.send(frame)
    s.send(frame[:-1] + bytes([frame[-1] ^ 1]))
    s.send(frame[:30])
print(heard)
END
mark
heard=$(in_ns dev1 python3 "$work/echo.py")
check 'a device hears the words' test "${heard:-0}" -ge 1
check '... and sends them back: nothing is shut' test "$(times 'loop ')" = 0
check '... the office goes through' passes dev1 $v4/
vm_kill
done_testing
