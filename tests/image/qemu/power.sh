#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 7200
#
# Power cuts. One run is recorded write by write: first boot, objects stored, an update installed, started and found
# good. Then the disk as it was after any number of those writes is made again, CUTS times (30) at random, and has to
# boot (LOOKS more, 60, are only looked at): every second as the death of QEMU's process leaves it, the others as a disk does that loses half of what was
# not flushed. SEED repeats a row of cuts. RECORDING=FOLDER keeps the recording, and takes it from there.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
command -v outage >/dev/null || PATH=$PATH:$tools
seed=${SEED:-$RANDOM$RANDOM}
RANDOM=$((seed % 32768))
rec=${RECORDING:-$work/recording}
v4=http://198.51.100.10
check 'the image is built' image_have || done_testing
check 'an update is made of the same root tree' variants good || done_testing

office

same_bytes() { # NS NAME
	in_ns "$1" curl -sS --max-time 120 -H 'Host: mirror.vendor.example' -D "$work/head.$2.$1" "$v4/files/$2" |
		cmp - "$work/files/$2"
}
hit() { same_bytes "$1" "$2" && grep -qi '^cache-status:.*hit' "$work/head.$2.$1"; }
# What the log holds by now is what happened before WHAT was seen.
milestone() { stat -c %s "$rec/log" | sed "s/^/$1 /" >>"$rec/milestones"; }
# after WHAT: entry N of the log is behind that.
after() { (($1 >= $("$tools/outage" "$rec/log" at "$(awk -v w="$2" '$1 == w { print $2 }' "$rec/milestones")"))); }

record() {
	rm -f "$rec/whole"
	mkdir -p "$rec/files"
	head -c 3000000 /dev/urandom >"$rec/files/object"
	head -c 12000000 /dev/urandom >"$rec/files/large"
	touch -d '10 days ago' "$rec"/files/*
	cp -a "$rec"/files/* "$work/files/"
	disk_make "$image" "$rec/base" 2G
	seed_put "$rec/base"
	cp --sparse=always "$rec/base" "$rec/live"
	: >"$rec/log"
	: >"$rec/milestones"
	DRIVE=$(recorded "$rec/live" "$rec/log")
	vm_start "$rec/live"
	check 'first boot: ready' becomes ready || return 1
	milestone ready
	vm 'cat /state/id' >"$rec/id"
	check 'the first password is shown' becomes 'password role=operate value='
	milestone password
	check 'it intercepts' wait_until 120 intercepted dev1 $v4/ || return 1
	check 'an object is stored' hit_soon dev1 object || return 1
	check 'a large one is stored' hit_soon dev1 large || return 1
	check 'an update is installed' fetch_install good --restart now || return 1
	milestone installed
	check 'it is started' runs 0.2 trial || return 1
	milestone stored
	check 'it becomes good' becomes 'slots good=0.2 error=0' || return 1
	milestone good
	check 'it intercepts' wait_until 120 intercepted dev1 $v4/
	check 'and has the objects' hit dev1 large
	vm_kill
	unset DRIVE
	rm -f "$rec/live"
	touch "$rec/whole"
}
hit_soon() { wait_until 60 hit "$@"; }
seed_put() {
	printf '[vendor]\nname = example\n[hosts]\nexact = mirror.vendor.example\nsuffix = vendor.example\n%s\n' \
		$'[reach]\nhost = mirror.vendor.example' >"$work/profile"
	mmd -i "$1@@1M" ::/tarn/vendors
	seed "$1" "$work/profile" vendors/example.conf
}

# What the boot loader sees as a slot is whole, at every moment.
slots_whole() {
	local file
	for file in $(mdir -b -i "$work/disk$slots_at" ::/EFI/Linux 2>/dev/null | grep -i 'efi$'); do
		echo "$file"
		mcopy -n -o -i "$work/disk$slots_at" "$file" "$work/slot" || return 1
		tail -c +4097 "$work/files/good.update" | cmp - "$work/slot" || return 1
	done
}

# The state partition, mended as the box mends it: what is there is whole.
state_whole() { # N
	local size id
	dd if="$work/disk" of="$work/state" bs=1M skip=385 count=96 conv=sparse status=none
	e2fsck -p "$work/state" || e2fsck -y -f "$work/state" || (($? < 4)) || return 1
	size=$(debugfs -R 'stat /etc/tarn.conf' "$work/state" 2>/dev/null | grep -oE 'Size: [0-9]+')
	id=$(debugfs -R 'cat /id' "$work/state" 2>/dev/null)
	echo "settings: $size, id: $id"
	[[ $size != 'Size: 0' ]] || return 1
	! after "$1" ready || [[ $size && $id == "$(<"$rec/id")" ]]
}

disk_cut() { # N SEED
	what="cut after write $1 of $total${2:+, unflushed ones lost by $2}:"
	cp --sparse=always "$rec/base" "$work/disk"
	"$tools/outage" "$rec/log" cut "$work/disk" "$1" ${2:+"$2"} | sed "s/^/# $what /"
	check "$what slots are whole" slots_whole
	check "$what settings and identity are whole" state_whole "$1"
}

start_cut() { # N SEED
	local n=$1 id what
	disk_cut "$@"
	vm_start "$work/disk"
	check "$what it is ready" becomes ready || { vm_kill; return; }
	echo "# $(vm_ms) ms $(grep -aE '^TARN (disk|slots)' "$work/console" | tr -d '\r' | tr '\n' ' ')"
	check "$what state and cache are whole" says 'disk .*state=(whole|mended) cache=(whole|mended)'
	id=$(vm 'cat /state/id')
	check "$what it has an identity" test ${#id} = 32
	check "$what it has its settings" vm 'grep -q listen /etc/tarn/tarn.conf'
	after "$n" ready && check "$what the identity is the same" test "$id" = "$(<"$rec/id")"
	after "$n" installed && check "$what the update runs" test "$(word 'slots running' running)" = 0.2
	check "$what it intercepts" wait_until 120 intercepted dev1 $v4/
	check "$what what it serves is right" same_bytes dev1 object
	check "$what also the large object" same_bytes dev2 large
	after "$n" stored && check "$what from the cache" grep -qi '^cache-status:.*hit' "$work/head.large.dev2"
	after "$n" password && refuse "$what no other password is made" says 'password role='
	[[ $(word 'slots running' kind) != trial ]] || check "$what the update becomes good" becomes 'slots good=0.2 error=0'
	vm_kill
}

if [[ ! -f $rec/whole ]]; then record || done_testing; fi
cp -a "$rec"/files/* "$work/files/"
total=$("$tools/outage" "$rec/log")
echo "# $total entries, SEED=$seed"
# Sets `entry`; not in a subshell, where SEED would not count.
anywhere() { entry=$(((RANDOM * 32768 + RANDOM) % total)); }
# Looked at only.
for ((i = 0; i < ${LOOKS:-60}; i++)); do
	anywhere
	disk_cut "$entry" $((1 + RANDOM))
done
# And started from.
for ((i = 0; i < ${CUTS:-30}; i++)); do
	lose=$((i % 2 ? 1 + RANDOM : 0))
	anywhere
	start_cut "$entry" "${lose#0}"
done
done_testing
