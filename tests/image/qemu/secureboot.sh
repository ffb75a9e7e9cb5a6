#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# Secure Boot: an image signed by the owner's key (here OVMF's test key) runs on a machine that takes nothing else; an update
# that is signed for us, and not for the firmware, is tried and given up; an image that nobody signed does not start.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'an update is made of the same root tree' variants good || done_testing

unsigned=$image
snakeoil=/usr/share/ovmf/PkKek-1-snakeoil
export SECUREBOOT_KEY=$work/owner.key SECUREBOOT_CERT=$snakeoil.pem
openssl rsa -in $snakeoil.key -passin pass:snakeoil -out "$work/owner.key" 2>/dev/null
images+=/secureboot
image=$images/tarn.img.zst
mkdir -p "$images"
exec {images_lock}>"$images/.lock"
check 'a signed one is' image_have || done_testing

# shellcheck disable=SC2034 # vm_start's
machine=(qemu-system-x86_64 -machine 'q35,accel=tcg,smm=on' -cpu 'Westmere,+rdrand'
	-global 'driver=cfi.pflash01,property=secure,value=on')
# shellcheck disable=SC2034
bios=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd bios_vars=/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd
office
disk_make "$image" "$work/disk" 2G
check 'an update without that signature is on the disk' slot_put good 0.2 1
vm_start "$work/disk"
check 'the firmware starts the signed system' becomes 'slots running=0.1 kind=factory'
check '... which is ready' becomes ready
ready_say
check '... and knows that Secure Boot is on' vm 'dmesg | grep -i "secure boot enabled"'
check '... programs of ours are loaded into the kernel' vm 'tarnctl status >/dev/null; test $? -lt 2'
check '... the other was refused' grep -qa 'TARN guard status=.*action=reset' "$work/console"
check '... it has no try left' vm 'tarnctl slots --json | grep -A3 0.2 | grep -q bad'
check 'the office goes through it' wait_until 60 direct dev1 "$v4/"
vm_kill

disk_make "$unsigned" "$work/disk" 2G
vm_start "$work/disk"
refused_by_firmware() { grep -aqi 'access denied\|security violation' "$work/console"; }
check 'an image that nobody signed is refused' wait_until 60 refused_by_firmware
refuse '... and nothing of it runs' grep -aq '^TARN' "$work/console"
vm_kill
done_testing
