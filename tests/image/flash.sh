#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# make flash, on files: what lsblk says of them is this test's.
set -u
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
for tool in zstd jq; do command -v $tool >/dev/null || skip_all "no $tool (make deps-image)"; done

top=$(realpath "$(dirname "$0")/../..")
dir=$(mktemp -d /tmp/tarn-flash.XXXXXX)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin"
printf '#!/bin/sh\ncat "%s/lsblk.json"\n' "$dir" >"$dir/bin/lsblk"
chmod 755 "$dir/bin/lsblk"
head -c 300000 /dev/urandom >"$dir/raw"
truncate -s 500000 "$dir/raw"
zstd -q "$dir/raw" -o "$dir/tarn-1-amd64.img.zst"
(cd "$dir" && sha256sum tarn-1-amd64.img.zst >tarn-1-amd64.SHA256SUMS)

# disk [JQ EXPRESSION]: a file, and lsblk's word on it, changed by the expression.
disk() {
	head -c 600000 /dev/zero | tr '\0' 'o' >"$dir/sdx"
	jq "${1:-.}" >"$dir/lsblk.json" <<-END
		{"blockdevices": [{"name": "sdx", "path": "/dev/sdx", "type": "disk", "size": 100000000, "model": "Great Disk",
			"serial": "S123", "tran": "sata", "ro": false, "fstype": null, "label": null, "mountpoints": [null],
			"children": [{"name": "sdx1", "path": "/dev/sdx1", "type": "part", "size": 90000000, "model": null,
				"serial": null, "tran": null, "ro": false, "fstype": "ext4", "label": "old", "mountpoints": [null]}]}]}
	END
}
flash() { PATH=$dir/bin:$PATH FLASH_ANYTHING=1 "$top/image/flash" "$dir/sdx" "$dir/tarn-1-amd64.img.zst" </dev/null 2>&1; }
untouched() { ! tr -d o <"$dir/sdx" | grep -q .; }
# refused TEXT: says so, and writes nothing.
refused() {
	local out
	out=$(ANSWER=${ANSWER-sdx} flash) && return 1
	echo "$out"
	grep -qE "$1" <<<"$out" && untouched
}

disk
check 'with nobody to ask nothing is written' eval 'ANSWER="" refused "nobody to ask"'
check 'another answer than the name: nothing is written' eval 'ANSWER=yes refused "nothing was written"'
disk '.blockdevices[0].mountpoints = ["/mnt"]'
check 'a mounted disk is refused' refused 'in use: /dev/sdx on /mnt'
disk '.blockdevices[0].children[0].mountpoints = ["/", "/home"]'
check 'one with a mounted partition, as the system disk' refused 'in use: /dev/sdx1 on /, /home'
disk '.blockdevices[0].children[0].mountpoints = ["[SWAP]"]'
check 'one that is swapped to' refused 'SWAP'
disk '.blockdevices[0].children[0].children = [{"name": "vg-root", "path": "/dev/mapper/vg-root", "type": "lvm", "mountpoints": [null]}]'
check 'one that is part of a volume group' refused 'held by: /dev/mapper/vg-root \(lvm\)'
disk '.blockdevices[0].type = "part"'
check 'a partition' refused 'is a part, not a whole disk'
disk '.blockdevices[0].ro = true'
check 'a read-only one' refused 'read-only'
disk '.blockdevices[0].size = 6000000'
check 'one that is too small' refused 'the image needs'
disk
echo x >>"$dir/tarn-1-amd64.img.zst"
check 'an image that is not what its checksums say' refused 'is not what tarn-1-amd64.SHA256SUMS says'
(cd "$dir" && zstd -qf raw -o tarn-1-amd64.img.zst && sha256sum tarn-1-amd64.img.zst >tarn-1-amd64.SHA256SUMS)

# Without a name: the newest for the architecture that was asked for.
chosen() { # ARCH
	PATH=$dir/bin:$PATH FLASH_ANYTHING=1 ANSWER=no IMAGE_OUT=$dir ARCH=$1 "$top/image/flash" "$dir/sdx" </dev/null 2>&1 |
		grep -o '^image .*zst'
}
for name in 2-amd64 2-amd64-debug 2-amd64-qemu 1-arm64; do cp "$dir/tarn-1-amd64.img.zst" "$dir/tarn-$name.img.zst"; done
touch -d '1 hour ago' "$dir/tarn-1-amd64.img.zst"
check 'of several images it is the newest for this architecture' test "$(chosen amd64)" = 'image   tarn-2-amd64.img.zst'
check 'or for another that is asked for' test "$(chosen arm64)" = 'image   tarn-1-arm64.img.zst'
check 'untouched, until one says yes' untouched
rm "$dir"/tarn-2-* "$dir/tarn-1-arm64.img.zst"

disk
written() {
	ANSWER=sdx flash >"$dir/out" || { cat "$dir/out"; return 1; }
	cat "$dir/out"
	cmp -n 500000 "$dir/raw" "$dir/sdx"
}
check 'the image is written' written
check 'what disk it is was shown' grep -q 'Great Disk, S123, sata' "$dir/out"
check 'and what is on it' grep -q '/dev/sdx1 ext4 old' "$dir/out"
check 'the rest of the disk is as it was' eval '! tail -c +500001 "$dir/sdx" | tr -d o | grep -q .'
printf '#!/bin/sh\ncase "$*" in *of=*) exec /usr/bin/dd "$@" ;; *) /usr/bin/dd "$@" | tr "\\000" x ;; esac\n' >"$dir/bin/dd"
chmod 755 "$dir/bin/dd"
broken() { ANSWER=sdx flash | tee /dev/stderr | grep -q 'does not give back'; }
check 'a disk that gives back something else is found out' broken

done_testing
