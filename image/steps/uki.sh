# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of common.sh
#
# The unified kernel image: kernel, command line, and an initramfs that holds the squashfs, in one signed file.
# It is a slot, it is what an update carries.

# pad4 FILE: archives of an initramfs begin at multiples of 4.
pad4() { truncate -s "%4" "$1"; }

initrd() {
	local tree=$work/initrd.tree from=$work/root/usr/lib/modules/$release path
	rm -rf "$tree"
	mkdir -p "$tree"/{modules,dev,proc,sys,root}
	install -m 755 "$BUILD/boot/tarn-first" "$tree/init"
	"${cross}strip" --strip-all -R .note.gnu.build-id -R .comment "$tree/init"
	# In the order they are to be loaded in, which their names carry.
	local n=10
	for path in drivers/block/loop.ko fs/squashfs/squashfs.ko; do
		install -m 644 "$from/kernel/$path" "$tree/modules/$n-${path##*/}"
		n=$((n + 1))
	done
	find "$tree" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
	(cd "$tree" && find . | sort | cpio --quiet -o -H newc -R 0:0 --reproducible | zstd -q -19) >"$work/initrd.new"
	pad4 "$work/initrd.new"
	rm -rf "$work/squash.tree"
	mkdir "$work/squash.tree"
	ln "$work/root.squashfs" "$work/squash.tree/root.squashfs"
	touch -hd "@$SOURCE_DATE_EPOCH" "$work/squash.tree/root.squashfs"
	# Compressed already: stored as it is.
	(cd "$work/squash.tree" && echo root.squashfs | cpio --quiet -o -H newc -R 0:0 --reproducible) >>"$work/initrd.new"
	pad4 "$work/initrd.new"
	mv "$work/initrd.new" "$work/initrd"
}

# efi_sign FILE: by the owner's key for Secure Boot, if there is one.
efi_sign() {
	[[ -n ${SECUREBOOT_KEY:-} ]] || return 0
	sbsign --key "$SECUREBOOT_KEY" --cert "$SECUREBOOT_CERT" --output "$1.signed" "$1" 2>/dev/null ||
		die "sbsign: ${1##*/}"
	mv "$1.signed" "$1"
}

# kernel_raw: arm64's kernel may be compressed; the stub wants it plain.
kernel_raw() {
	local from
	from=$work/pkg/linux-image/boot/vmlinuz-$release
	if [[ $(head -c 2 "$from" | xxd -p) == 1f8b ]]; then gzip -dc "$from"; else cat "$from"; fi >"$work/vmlinuz"
}

# uki OUT: sections behind those of the stub, at addresses that do not overlap (binutils has to be told).
uki() {
	local stub=$work/pkg/systemd-boot-efi/usr/lib/systemd/boot/efi/linux$efi.efi.stub
	local base step=4096 at args=() s file
	os_release >"$work/osrel"
	printf "%s" "$consoles quiet loglevel=4 panic=5 oops=panic softlockup_panic=1 watchdog_thresh=30" \
		" slab_nomerge init_on_alloc=1 randomize_kstack_offset=on lockdown=integrity" \
		" tarn.version=$version${IMAGE_DEBUG:+ tarn.debug=$debug_tty}${IMAGE_CMDLINE:+ $IMAGE_CMDLINE} gpt" >"$work/cmdline"
	base=$("${cross}objdump" -h "$stub" | awk '$2 ~ /^\./ { e = strtonum("0x" $3) + strtonum("0x" $4); if (e > m) m = e } END { print m }' 2>/dev/null) ||
		base=''
	[[ -n $base ]] || base=$(sections_end "$stub")
	at=$(((base + step - 1) / step * step))
	for s in osrel cmdline linux initrd; do
		file=$work/$s
		[[ $s != linux ]] || file=$work/vmlinuz
		args+=(--add-section ".$s=$file" --change-section-vma ".$s=$at")
		at=$(((at + $(stat -c %s "$file") + step - 1) / step * step))
	done
	# -p: the PE header's time stays what it was.
	"${cross}objcopy" -p "${args[@]}" "$stub" "$1.new"
	efi_sign "$1.new"
	mv "$1.new" "$1"
	say UKI "$(stat -c %s "$1") bytes"
}

# sections_end PE: the first address behind its last section. (mawk has no strtonum.)
sections_end() {
	local size vma end max=0
	while read -r size vma; do
		end=$((0x$size + 0x$vma))
		((end <= max)) || max=$end
	done < <("${cross}objdump" -h "$1" | awk '$2 ~ /^\./ { print $3, $4 }')
	echo "$max"
}

# guard OUT: see image/guard.c.
guard() {
	local arch=x86_64 lib=/usr/lib format=() abi=() kind=()
	# shellcheck disable=SC2153 # from common.sh
	[[ $ARCH != arm64 ]] || arch=aarch64
	# There the PE header is written by hand, in crt0, and an EFI application is what this symbol says.
	[[ $arch != aarch64 ]] || kind=(--defsym=EFI_SUBSYSTEM=0xa)
	[[ $arch != x86_64 ]] || abi=(-mno-red-zone -maccumulate-outgoing-args -DGNU_EFI_USE_MS_ABI)
	[[ -z $cross ]] || lib=$sysroot/usr/lib
	"${cross}gcc" -I"${lib%/lib}/include/efi" -I"${lib%/lib}/include/efi/$arch" -ffreestanding -fpic -fshort-wchar \
		-fno-stack-protector -fno-strict-aliasing -fno-merge-constants -Os -Wall -Wextra -Werror \
		"${abi[@]}" \
		-c "$here/guard.c" -o "$work/guard.o"
	"${cross}ld" -nostdlib -znocombreloc -shared -Bsymbolic --build-id=none --no-warn-rwx-segments \
		"${kind[@]}" -T "$lib/elf_${arch}_efi.lds" "$lib/crt0-efi-$arch.o" "$work/guard.o" -L"$lib" -lgnuefi -lefi -o "$work/guard.so"
	[[ $arch != x86_64 ]] || format=(--target=efi-app-x86_64 --subsystem=10)
	[[ $arch != aarch64 ]] || format=(-O binary)
	"${cross}objcopy" -p -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j '.rel*' -j '.rela*' -j .reloc -j .rodata \
		"${format[@]}" "$work/guard.so" "$1.new"
	efi_sign "$1.new"
	mv "$1.new" "$1"
}
