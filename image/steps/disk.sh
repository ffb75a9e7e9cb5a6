# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of common.sh
#
# The disk: GPT with four partitions, each first made as a file of its own.
#
#	1 tarn-esp	FAT32, 128 MiB	the firmware's: guard, boot loader, the factory's slot. Never written again.
#	2 tarn-boot	FAT32, 256 MiB	slots A and B (XBOOTLDR). Can be made again from nothing.
#	3 tarn-state	ext4, 96 MiB	what this box is: identity, keys, settings, histories. Outlives everything.
#	4 tarn-cache	ext4, the rest	32 MiB here, grows to the disk's end at the first boot.

# Fixed, so that two builds are the same bytes.
disk_id=7461726e-0000-4000-8000-000000000000
part_id() { echo "7461726e-0000-4000-8000-00000000000$1"; }
esp_mib=128 boot_mib=256 state_mib=96 cache_mib=32

# fat FILE MIB LABEL SERIAL
fat() {
	rm -f "$1"
	truncate -s "$2M" "$1"
	mkfs.fat -F 32 -n "$3" -i "$4" --invariant "$1" >/dev/null
}

# The times of what mtools copies are those of the source files (-m).
into() { # IMAGE FROM TO
	touch -d "@$SOURCE_DATE_EPOCH" "$2"
	mcopy -m -i "$1" "$2" "::$3"
}

# folder IMAGE PATH: FAT folders take the time of making, by SOURCE_DATE_EPOCH.
folder() { mmd -i "$1" "::$2"; }

esp() {
	local f=$work/esp.fat
	fat "$f" $esp_mib TARN-ESP 7461726e
	for d in /EFI /EFI/BOOT /EFI/systemd /EFI/Linux /loader /tarn; do folder "$f" $d; done
	cp "$work/pkg/systemd-boot-efi/usr/lib/systemd/boot/efi/systemd-boot$efi.efi" "$work/loader.efi"
	efi_sign "$work/loader.efi"
	printf 'timeout 0\neditor no\nauto-firmware no\n' >"$work/loader.conf"
	cp "$here/root/SEED.txt" "$work/seed.txt"
	into "$f" "$work/guard.efi" "/EFI/BOOT/BOOT${efi^^}.EFI"
	into "$f" "$work/loader.efi" "/EFI/systemd/systemd-boot$efi.efi"
	into "$f" "$work/loader.conf" /loader/loader.conf
	into "$f" "$work/seed.txt" /tarn/README.TXT
	into "$f" "$work/tarn.efi" "/EFI/Linux/tarn-$version.efi"
}

bootldr() {
	fat "$work/boot.fat" $boot_mib TARN-BOOT 7461726f
	folder "$work/boot.fat" /EFI
	folder "$work/boot.fat" /EFI/Linux
}

# ext FILE MIB LABEL DIGIT [EXTENDED [OPTION...]]
ext() {
	local id
	id=$(part_id "$4")
	rm -f "$1"
	truncate -s "$2M" "$1"
	E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -L "$3" -U "$id" -m 0 "${@:6}" \
		-E "hash_seed=$id,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0${5:+,$5}" -O ^metadata_csum_seed "$1"
}

# put FILE AT_MIB: zeros stay holes.
put() { dd if="$1" of="$work/disk.new" bs=1M seek="$2" conv=notrunc,sparse status=none; }

disk() {
	local at=1 type_esp=C12A7328-F81F-11D2-BA4B-00A0C93EC93B type_boot=BC13C2FF-59E6-4262-A352-B275FD6F7172
	local linux=0FC63DAF-8483-4772-8E79-3D69D8477DE4
	esp
	bootldr
	ext "$work/state.ext4" $state_mib tarn-state 3
	# A large disk's blocks, few inodes (firmware/boot/volumes.c). Room in the block group table to grow online to 1.5 TiB; beyond
	# that the kernel takes another form of it. One step of growing writes all of that table: the journal has to hold it.
	ext "$work/cache.ext4" $cache_mib tarn-cache 4 resize=402653184 -b 4096 -i 262144 -J size=8
	rm -f "$work/disk.new"
	truncate -s $((1 + esp_mib + boot_mib + state_mib + cache_mib + 1))M "$work/disk.new"
	sfdisk -q "$work/disk.new" <<-END
		label: gpt
		label-id: $disk_id
		unit: sectors
		first-lba: 2048
		start=1MiB, size=${esp_mib}MiB, type=$type_esp, uuid=$(part_id 1), name=tarn-esp
		size=${boot_mib}MiB, type=$type_boot, uuid=$(part_id 2), name=tarn-boot
		size=${state_mib}MiB, type=$linux, uuid=$(part_id 3), name=tarn-state
		size=${cache_mib}MiB, type=$linux, uuid=$(part_id 4), name=tarn-cache
	END
	put "$work/esp.fat" $at
	put "$work/boot.fat" $((at += esp_mib))
	put "$work/state.ext4" $((at += boot_mib))
	put "$work/cache.ext4" $((at += state_mib))
	mv "$work/disk.new" "$work/disk.img"
}
