#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# Removable drives by their label: put into a box that runs, one is exported to, one is imported, one is pulled out in the
# middle. FAT behind a partition table, exFAT and ext4 on the whole drive.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"

# drive_make FILE TYPE LABEL: a drive of 64 MiB; FAT begins at 1 MiB.
drive_make() {
	rm -f "$1"
	truncate -s 64M "$1"
	case $2 in
	vfat) sfdisk -q "$1" <<<'2048,,c' && mkfs.vfat --offset 2048 -n "$3" "$1" $((63 << 10)) ;;
	exfat) mkfs.exfat -L "$3" "$1" ;;
	ext4) mke2fs -q -t ext4 -L "$3" "$1" ;;
	esac >"$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log"; return 1; }
}
done_with() { becomes "drive label=$1 state=done" 120; }
# fat_out FILE FOLDER, ext_out FILE FOLDER: all that is on it.
fat_out() { mkdir "$2" && mcopy -s -i "$1@@1M" '::*' "$2/"; }
ext_out() { mkdir "$2" && debugfs -R "rdump / $2" "$1" 2>/dev/null; }

catalogue_box

drive_make "$work/fat" vfat TARN-EXPORT || exit 1
plug "$work/fat"
check 'a drive is put in: it is exported to' done_with TARN-EXPORT
unplug
tail -c +1048577 "$work/fat" >"$work/fat.part"
check 'its file system is whole' fsck.vfat -n "$work/fat.part"
check 'it can be read' fat_out "$work/fat" "$work/out.fat"
check '... byte by byte' catalogue_same "$work/out.fat/example/files"
check '... and says that it may be taken out' grep -q '^export: done' "$work/out.fat/TARN-STATUS.txt"
check 'the history has it' history_has '.event == "drive" and (.reason | startswith("TARN-EXPORT: done: example: generation"))'

qmp '{"execute":"object-add","arguments":{"qom-type":"throttle-group","id":"slow","limits":{"bps-write":400000,"iops-write":200}}}'
drive_make "$work/ext" ext4 TARN-EXPORT || exit 1
plug "$work/ext" slow
check 'a slow one is begun with' becomes 'drive label=TARN-EXPORT state=begun' 60
unplug
check 'pulled out in the middle: that is said' becomes 'drive label=TARN-EXPORT state=failed' 120
check '... the history has it' history_has '.event == "drive-failed"'
check '... and the box goes on' vm 'tarnctl status >/dev/null; test $? -lt 2'
plug "$work/ext"
check 'put in again it is filled' done_with TARN-EXPORT
unplug
check '... byte by byte' eval 'ext_out "$work/ext" "$work/out.ext" && catalogue_same "$work/out.ext/example/files"'

# Another box, as it were: nothing stored, and no way to the vendor.
kill "$(<"$work/nginx.pid")"
check 'the cache is emptied' vm 'tarnctl cache rm "*"'
box=$(vm "ip -4 -o addr show dev br0" | grep -oE '10\.7\.0\.[0-9]+' | head -n 1)
refuse '... the device gets nothing' in_ns dev2 curl -sSf --max-time 60 -o /dev/null "http://$box:3128/example/files/one"
if command -v mkfs.exfat >/dev/null; then
	drive_make "$work/exfat" exfat TARN-IMPORT || exit 1
	plug "$work/exfat"
	check 'one that has nothing is refused' becomes 'drive label=TARN-IMPORT state=failed .*nothing that tarnctl export has written' 60
	unplug
else
	skip 'exFAT' 'mkfs.exfat is not installed'
fi
mlabel -i "$work/fat@@1M" ::TARN-IMPORT
plug "$work/fat"
check 'a drive is put in: it is imported' done_with TARN-IMPORT
# As an update source: a box that reaches no vendor lets devices go straight, whatever it has stored.
source_got() {
	local name
	for name in index.lst "${objects[@]}"; do
		in_ns dev2 curl -sS --max-time 60 "http://$box:3128/example/files/$name" | cmp - "$work/files/$name" || return 1
	done
}
check 'a device gets all of it, with no way to the vendor' source_got
vm 'tarnctl slots' | sed 's/^/# /'

vm_kill
done_testing
