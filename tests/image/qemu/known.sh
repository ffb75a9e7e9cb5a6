# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # lib.sh has the one, who sources this reads the other
# SPDX-License-Identifier: Apache-2.0
#
# Before harm is done to a disk; source it behind lib.sh: a box on $work/disk that has served, whose identity is in $work/id and
# whose page's first password is $password. It is switched off.
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
	check "$1: it intercepts" wait_until 120 intercepted dev1 "$v4/" || vm 'tarnctl status' | sed 's/^/# /'
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
