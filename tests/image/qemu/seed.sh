#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# The seed and the way back. On the ESP: the page's password by its hash, SSH keys and a CA are taken, nothing else opens the
# box. On a stick: settings, read once; what is wrong is refused with its reason; a factory reset, once; and one from the console.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
command -v ssh-keygen >/dev/null || skip_all 'ssh is not here'
check 'the image is built' image_have || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
printf 'a password of mine\n' | "$built/bin/tarnctl" admin hash >"$work/hash"
ssh-keygen -q -t ed25519 -N '' -f "$work/mine"
ssh-keygen -q -t ed25519 -N '' -f "$work/other"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=an office' -days 900 -addext basicConstraints=critical,CA:TRUE \
	-addext keyUsage=critical,keyCertSign,cRLSign -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
cat "$work/ca.key" "$work/ca.crt" >"$work/ca.pem"
seed "$work/disk" "$work/hash" password
seed "$work/disk" "$work/mine.pub" authorized_keys
seed "$work/disk" "$work/ca.pem" ca.pem
vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
for name in password authorized_keys ca.pem vendors/example.conf; do
	check "$name is taken" says "seed from=esp file=$name result=taken"
done
check 'the password is set' becomes 'password role=operate from=seed result=taken'
check '... it opens the page' page_opens 'a password of mine'
check '... another does not' page_refuses 'another of mine'
refuse '... none is made, and none is shown' says 'password role=operate value='
check '... the file is gone' vm '! ls /state/boot/password'
check 'the CA is that one' eval 'vm "tarnctl ca export" | openssl x509 -noout -subject | grep -q "an office"'
log_in() { # KEY [OPTION...]
	in_ns dev1 ssh -n -T -F /dev/null -o BatchMode=yes -o ConnectTimeout=20 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o IdentitiesOnly=yes -i "$work/$1" "${@:2}" "root@$(box_address)" 'cat /state/id'
}
check 'who has the key gets in by SSH' eval '[[ $(log_in mine 2>/dev/null) == "$(vm "cat /state/id")" ]]' || log_in mine -v
refuse '... who has another does not' log_in other
refuse '... nor by a password' log_in other -o BatchMode=no -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=0
check '... no other way is offered' eval 'log_in other -v 2>&1 | tr -d "\r" | grep "can continue: publickey$"'
port=$(vm 'netstat -ltn' | grep -cE ':(80|8080|53|21|23|139|445) ')
check '... nothing else listens' test "$port" = 0

# ---- a stick ---------------------------------------------------------------------------------------------------------

stick() { # FILE: with an empty folder
	rm -f "$1"
	truncate -s 64M "$1"
	sfdisk -q "$1" <<<'2048,,c' && mkfs.vfat --offset 2048 -n TARN-SEED "$1" $((63 << 10)) >/dev/null && mmd -i "$1@@1M" ::/tarn ::/tarn/vendors
}
settings() { vm 'cat /state/etc/tarn.conf'; }
stick "$work/stick"
(settings && printf '\n[cache]\nheuristic_max = 3h\n[appliance]\nntp = no\n') >"$work/settings"
seed "$work/stick" "$work/settings" tarn.conf
printf '[hosts]\nexact = not a name\n' >"$work/wrong"
seed "$work/stick" "$work/wrong" vendors/wrong.conf
plug "$work/stick"
check 'settings on a stick are taken' becomes 'seed from=stick file=tarn.conf result=taken' 60
check '... a wrong profile is refused, with the reason' says 'seed from=stick file=vendors/wrong.conf result=refused why='
check '... they are in force' wait_until 30 vm 'tarnctl config show | grep -E "heuristic_max *= *3h"'
check '... time servers are no longer asked' becomes 'clock ntp=off' 30
check '... nor does anything for it run' wait_until 20 vm '! pidof ntpd'
check '... the history has it' history_has '.event == "seed" and .reason == "from the stick: 1 taken, 1 refused"'
unplug
plug "$work/stick"
again() { wait_until 20 vm 'ls /sys/class/block | grep sd' && wait_until 5 says 'seed from=stick'; }
refuse '... the same stick is not read again' again
unplug
printf 'not a hash\n' >"$work/hash.bad"
seed "$work/stick" "$work/hash.bad" password
plug "$work/stick"
check 'a password that is no hash is refused' becomes 'seed from=stick file=password result=refused why="not what tarnctl admin hash prints"' 60
check '... that of before opens' page_opens 'a password of mine'
unplug
printf 'a second one of mine\n' | "$built/bin/tarnctl" admin hash >"$work/hash"
seed "$work/stick" "$work/hash" password
plug "$work/stick"
check 'another password on a stick is taken' becomes 'password role=operate from=seed result=taken' 60
check '... it opens the page' page_opens 'a second one of mine'
check '... that of before does not' page_refuses 'a password of mine'
unplug

# ---- the way back -----------------------------------------------------------------------------------------------------

id=$(vm 'cat /state/id')
echo >"$work/empty"
seed "$work/stick" "$work/empty" factory-reset
plug "$work/stick"
check 'a stick asks for a factory reset: it begins' becomes 'reset from=stick serial=.* action=restart' 60
mark
check '... it is done' becomes 'reset by=.* result=done'
check '... the box is ready' becomes ready
ready_say
other=$(vm 'cat /state/id')
check '... it is another box' test ${#other} = 32 -a "$other" != "$id"
check '... what the ESP brings is taken again' says 'seed from=esp file=password result=taken'
check '... and what the stick does' becomes 'seed from=stick file=tarn.conf result=taken' 60
check '... the stick resets no second time' test "$(times 'init up_ms')" -le 1 -a "$(times 'reset from=stick')" = 0
passes() { direct "$@" || intercepted "$@"; }
check '... the office goes through it' wait_until 60 passes dev1 $v4/
unplug
mark
vm 'tarnctl factory-reset --yes' | sed 's/^/# /'
check 'tarnctl asks for one: it is done' becomes 'reset by=tarnctl result=done'
check '... the box is ready' becomes ready
third=$(vm 'cat /state/id')
check '... it is another box' test ${#third} = 32 -a "$third" != "$other"
vm_kill
done_testing
