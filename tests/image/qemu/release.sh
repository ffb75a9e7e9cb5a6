#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# Not the debug image, but the one that is put before devices: nobody gets a shell, by no line and no key. What is to be done at
# the machine itself is one thing, a factory reset, by serial console and by keyboard: typed twice, nothing else.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'the same is made without its shell' variants plain || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
check 'it is on the disk, and good' slot_put plain 0.7 good
mkfifo "$work"/serial.{in,out}
cat "$work/serial.out" >/dev/null &
children+=($!)
exec {serial}<>"$work/serial.in"
CONSOLE="pipe,id=console,path=$work/serial,logfile=$work/console" vm_start "$work/disk"
check 'it runs' runs 0.7 good
check 'it is ready' becomes ready
ready_say
ready_within 30
check 'it intercepts' wait_until 120 intercepted dev1 $v4/ || console_show
check 'objects come whole' objects_right dev1
check '... and again, from the cache' eval 'objects_right dev2 && grep -qi "^cache-status:.*hit" "$work/head.large.dev2"'

# The shell of a debug image would be there; the firmware has written to that line, too.
said=$(stat -c %s "$work/shell.log")
printf '\n\necho here; id\n' >&"$shell_in"
more() { (($(stat -c %s "$work/shell.log") > said)); }
refuse 'at its second serial line there is nobody' wait_until 5 more
mark
answers() { tail -n "+$((since + 1))" "$work/console" | grep -E 'uid=|[Ll]ogin|[Pp]assword:|not found|[#$] $'; }
# In turn: what a getty, a shell or the kernel would hear.
printf '\r\nroot\r\n\r\nid\n\003\004\032\023\nid\n' >&"$serial"
refuse 'at its first neither' wait_until 5 answers
keys() { # KEY...
	local key
	for key; do qmp '{"execute":"human-monitor-command","arguments":{"command-line":"sendkey '"$key"'"}}'; done
}
keys alt-sysrq-b alt-sysrq-c alt-f2 ctrl-c
refuse 'no key starts it again' wait_until 5 says 'init up_ms'
check 'the office goes through it' intercepted dev1 $v4/

# ---- the way back -----------------------------------------------------------------------------------------------------

# As the router knows it: nobody can ask the box.
box_address() { awk 'END { print $3 }' "$work/leases"; }
since=0
check 'the first password is shown' becomes 'password role=operate value='
first=$(word password value)
check '... it opens the page' page_opens "$first"
mark
printf 'factory-reset\n' >&"$serial"
check 'asked for once, it asks back' wait_until 10 grep -q 'Type it again' "$work/console"
printf 'no\nfactory-reset\n' >&"$serial"
refuse '... and does nothing' wait_until 5 says reset
printf 'factory-reset\n' >&"$serial"
check 'twice: it begins' becomes 'reset from=console action=restart' 30
check '... and is done' becomes 'reset by=console result=done'
check '... the box is ready' becomes ready
check '... by the same system' test "$(word 'slots running' running)" = 0.7
check '... another password is shown' becomes 'password role=operate value='
second=$(word password value)
check '... it opens the page' wait_until 60 page_opens "$second"
check '... the first does not' page_refuses "$first"
check '... it intercepts' wait_until 120 intercepted dev1 $v4/

mark
word=(f a c t o r y minus r e s e t ret)
keys "${word[@]}" "${word[@]}"
check 'the same by the keyboard' becomes 'reset from=console action=restart' 30 || console_show
check '... it is done' becomes 'reset by=console result=done'
check '... the box is ready' becomes ready
mark
keys ctrl-alt-delete
check 'but these three: in order' becomes 'end signal=2' 30
check '... it starts again' becomes ready
vm_kill
done_testing
