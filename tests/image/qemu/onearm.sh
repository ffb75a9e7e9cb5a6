#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# One Ethernet port: the box stands beside the devices' line. It intercepts nothing; devices ask it, as a proxy and as an update
# source, and by its own settings. Then its log, which is bounded on the disk, and goes on over a start. Then a second port comes.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
# The devices' line, without it.
ip -n "$(ns box)" link add past0 type veth peer name past1
ip -n "$(ns box)" link set past0 master blan
ip -n "$(ns box)" link set past1 master bwan
ip -n "$(ns box)" link set past0 up
ip -n "$(ns box)" link set past1 up
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
printf '[cache]\nheuristic_max = 3h\n[admin]\nlisten = 0.0.0.0:443 [::]:443\n' >"$work/settings"
check 'a seed has settings' seed "$work/disk" "$work/settings" tarn.conf
PORTS=one vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
check '... with one port' test "$(word ready ports)" = 1
check '... and says so' says 'tarnd settings=own ports=one'
check 'the seed is taken' says 'seed from=esp file=tarn.conf result=taken'
check '... and in force' vm 'tarnctl config show | grep -E "heuristic_max *= *3h"'
check '... also a change' vm 'tarnctl config set cache.heuristic_max=4h && tarnctl config confirm && grep "heuristic_max = 4h" /state/etc/tarn.conf'
check 'it has an address' wait_until 60 box_address
box=$(box_address)
check 'the office goes past it' direct dev1 $v4/
by_proxy() { in_ns "$1" curl -sS --max-time 60 -x "http://$box:3128" -D "$work/head.proxy" http://mirror.vendor.example/files/large | cmp - "$work/files/large"; }
check 'a device that asks it as a proxy gets an object' wait_until 60 by_proxy dev1
by_source() { in_ns "$1" curl -sS --max-time 60 -D "$work/head.source" "http://$box:3128/example/files/large" | cmp - "$work/files/large"; }
check 'another, as an update source' by_source dev2
check '... from the cache' grep -qi '^cache-status:.*hit' "$work/head.source" || sed 's/^/# /' "$work/head.source"
check 'the first password is shown' becomes 'password role=operate value=' 60
check '... and opens the page' page_opens "$(word password value)"
check 'nothing ended by itself' test "$(times 'service name=')" = 0

# The log: 2 MiB, and two before it.
logs() { vm 'cat /state/log/tarn.log* | wc -c'; }
for round in 1 2 3 4; do
	vm "seq 1 60000 | sed 's/.*/round $round line & of what somebody writes a lot of/' >>/state/log/tarn.log"
	check "3 MB more in the log, for the $round. time: it is cut" wait_until 20 vm '[ $(stat -c %s /state/log/tarn.log) -lt 2100000 ]'
done
check '... all of it is bounded' eval '(($(logs) < 12000000))' || vm 'ls -l /state/log' | sed 's/^/# /'
check '... the last that was written is there' vm 'grep -rq "round 4 line 60000 " /state/log'
refuse '... the first is not' vm 'grep -rq "round 1 line 60000 " /state/log'
vm 'tarnctl config reload' >/dev/null
check '... and what comes now' wait_until 10 vm 'grep -q keeper.reload /state/log/tarn.log' || vm 'tail -n 3 /state/log/tarn.log' | sed 's/^/# /'
vm sync
vm_kill

# Two ports from now on, in line.
ip -n "$(ns box)" link del past0
vm_start "$work/disk"
check 'it starts with two ports: ready' becomes ready
check '... the log before is there' vm 'grep -rq "round 4 line 60000 " /state/log && grep -rq keeper.reload /state/log'
check '... it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
refuse '... and is no open proxy any more' by_proxy dev1
vm_kill
done_testing
