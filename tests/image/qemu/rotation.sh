#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# Another key signs updates. A system that knows both takes one by the new key; from then on, what the old one signs is nothing.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
mkdir -p "$work/next" "$work/files"
for name in old new foreign; do
	openssl genpkey -algorithm ed25519 -out "$work/$name.key" && openssl pkey -in "$work/$name.key" -pubout -out "$work/$name.pem"
done
cp "$work/new.pem" "$work/next/"
# made FOLDER KEY VERSION [VARIABLE=VALUE...]
made() {
	env BUILD="$built" IMAGE_OUT="$images/$1" IMAGE_FAST=1 IMAGE_DEBUG=1 IMAGE_CMDLINE="$emulated" IMAGE_KEY="$work/$2.key" \
		IMAGE_VERSION="$3" "${@:4}" "$top/image/build" >"$work/made.log" 2>&1 || { tail -n 20 "$work/made.log"; return 1; }
	mv "$images/$1/tarn-$3-$ARCH-debug.update" "$work/files/$2-$3.update"
}
mkdir -p "$images"/{first,second}
check 'an image is built that knows the old key and the new' made first old 0.1 IMAGE_KEYS="$work/next" || done_testing
check 'an update by the new key, which knows no other' made second new 0.2 || done_testing
check 'a later one by the old key' made first old 0.3 IMAGE_REUSE=1
check 'a later one by the new key' made second new 0.4 IMAGE_REUSE=1
check 'one by a key that nobody knows' made second foreign 0.5 IMAGE_REUSE=1
check 'the keys are in it' test "$(cd "$images/first/image/$ARCH/root/usr/share/tarn/keys" && echo *)" = 'build.pem new.pem'

office
disk_make "$images/first/tarn-0.1-$ARCH-debug.img.zst" "$work/disk" 2G
vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
check 'it reaches the web server' wait_until 60 online
check 'what a foreign key has signed is refused' refused foreign-0.5 unsigned
mark
check 'what the new key has signed is taken' fetch_install new-0.2 --restart now
check '... it runs' runs 0.2 trial
check '... and is good' becomes 'slots good=0.2 error=0'
check 'it reaches the web server' wait_until 60 online
check 'what the old key has signed is refused now' refused old-0.3 unsigned
check 'what the new key has signed is not' fetch_install new-0.4 --restart no
vm 'tarnctl slots' | sed 's/^/# /'
vm_kill
rm -rf "$images"/{first,second}
done_testing
