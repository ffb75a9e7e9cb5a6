#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# What goes with the image: checksums that fit, an update that anybody can check by openssl, a bill of materials that names every
# package of which there is a file in it; and its command line, settings and files are what the appliance promises.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/../qemu/lib.sh"
needs
check 'the image is built' image_have || done_testing
base=$(echo "$images"/tarn-*-debug.img.zst)
base=${base%.img.zst}
parts=$images/image/$ARCH

check 'the checksums fit' eval '(cd "$images" && sha256sum -c "$base.SHA256SUMS")'
check '... of image, update and bill of materials' test "$(wc -l <"$base.SHA256SUMS")" = 3
signed() {
	local head=$work/head
	head -c 4096 "$base.update" | sed -n '/^signature=/q; p' >"$head"
	head -c 4096 "$base.update" | sed -n 's/^signature=//p' | base64 -d >"$work/signature"
	openssl pkeyutl -verify -pubin -inkey "$parts/key.pub" -rawin -in "$head" -sigfile "$work/signature"
}
check 'the update is signed by the key that the image knows' signed
value() { head -c 4096 "$base.update" | sed -n "s/^$1=//p"; }
check '... its digest is that of what follows' test "$(value sha256)" = "$(tail -c +4097 "$base.update" | sha256sum | cut -d ' ' -f 1)"
check '... and so is its length' test "$(value bytes)" = "$(tail -c +4097 "$base.update" | wc -c)"
check '... it says for which machines' test "$(value arch)" = "$ARCH"

spdx=$base.spdx.json
check 'the bill of materials is SPDX 2.3' jq -e '.spdxVersion == "SPDX-2.3" and (.packages | length > 40)
	and all(.packages[]; .SPDXID and .name and .versionInfo and (.checksums[0].checksumValue | length == 64))' "$spdx"
jq -r '.packages[] | "\(.name) \(.checksums[0].checksumValue)"' "$spdx" | sort >"$work/named"
# Libraries and programs of the root tree that are a package's, byte by byte, stripped or not: by their path.
from_packages() {
	local file name missing=0
	while read -r file; do
		name=$(find "$parts"/pkg/*/{,usr/}"$file" -maxdepth 0 2>/dev/null | head -n 1)
		[[ -n $name ]] || continue
		name=${name#"$parts/pkg/"}
		name=${name%%/*}
		[[ $name != linux-image ]] || name=linux-image-
		grep -q "^$name" "$work/named" || { echo "$file is of $name"; missing=1; }
	done < <(cd "$parts/root/usr" && find bin sbin lib -type f ! -path '*/modules/*')
	return "$missing"
}
check '... it names every package that a file is of' from_packages
check '... with the checksums of the lock' eval '! awk "{ print \$2 }" "$work/named" | grep -vxF -f <(awk "{ print \$3 }" "$parts/lock.used"; sha256sum <"$parts/tarn.efi" | cut -d " " -f 1)'
refuse '... and nothing that is only compiled with' grep -q -- '-dev ' "$work/named"

for word in panic= oops=panic lockdown=integrity init_on_alloc=1 slab_nomerge; do
	check "the kernel's command line has $word" grep -qF -- "$word" "$parts/cmdline"
done
closed() { ! awk -F: '$2 != "*" { print }' "$parts/root/etc/shadow" | grep .; }
check 'nobody has a password to log in with' closed
check 'no program has rights by its file' test -z "$(find "$parts/root" -type f -perm /6000)"
check 'no file is writable by everybody' test -z "$(find "$parts/root" -type f -perm /002)"
refuse 'no key is in it but public ones' grep -rlI 'PRIVATE KEY' "$parts/root/etc" "$parts/root/usr/share"
done_testing
