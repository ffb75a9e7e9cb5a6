#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# Random bytes over whole partitions. Over the cache: it is made anew, it is the same box, with the same password. Over all but the
# ESP: the factory's system makes it anew, and the office is served.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
# onto AT_KIB COUNT_KIB FROM: bytes over the disk; partitions begin at 1 (ESP), 129 (slots), 385 (state) and 481 MiB (cache).
mib=1024
onto() { dd if="$3" of="$work/disk" bs=1K seek="$1" count="$2" conv=notrunc status=none; }
started() { # WHAT
	vm_start "$work/disk"
	check "$1: it is ready" becomes ready
	ready_say
	grep -aE '^TARN (disk|slots|clock)' "$work/console" | sed 's/^/# /'
	check "$1: it intercepts" wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
	check "$1: what it serves is right" objects_right dev1
}
started 'new'
check 'the first password is shown' becomes 'password role=operate value='
password=$(word password value)
check '... it opens the page' wait_until 30 page_opens "$password"
vm 'cat /state/id' >"$work/id"
kept() { vm 'grep -q "^operate scrypt" /state/lib/access'; }
check '... it is kept beside the cache' wait_until 30 kept
check 'it is switched off' vm 'sync; tarnctl slots >/dev/null'
vm_kill

fsck_show() { vm 'grep -ah "e2fsck\|tarn-cache\|uperblock" /run/early.log /state/log/tarn.log | tail -n 40' | sed 's/^/# /'; }
onto $((481 * mib)) $((160 * mib)) /dev/urandom
started 'random bytes over the cache'
check '... it is new, the state is whole' says 'disk .*state=(whole|mended) cache=new .*error=0'
check '... it has the disk' test "$(word disk cache_mib)" -gt 1500
check '... it is the same box' test "$(vm 'cat /state/id')" = "$(<"$work/id")"
check '... the password is the same' wait_until 30 page_opens "$password"
refuse '... no other is made' says 'password role='
vm_kill

onto $((129 * mib)) $((256 * mib)) /dev/urandom
onto $((385 * mib)) $((96 * mib)) /dev/urandom
onto $((481 * mib)) $((160 * mib)) /dev/urandom
started 'random bytes over all but the ESP'
check '... state and cache are new' says 'disk .*state=new cache=new .*error=0' || fsck_show
check '... so are the slots' says 'slots part=tarn-boot result=new error=0'
id=$(vm 'cat /state/id')
check '... it is another box' test ${#id} = 32 -a "$id" != "$(<"$work/id")"
check '... a password is made, and shown' becomes 'password role=operate value='
check '... the one before opens nothing' wait_until 30 page_refuses "$password"
vm_kill
done_testing
