# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # the steps read what is set here
#
# What the image's recipes share; source it. No root, no loop device, no mount: all is made as plain files.
#
# From outside:
#	ARCH=amd64|arm64	default: this machine's
#	BUILD			where the programs are, default build
#	IMAGE_OUT		where the image goes, default BUILD
#	TARN_CACHE		where fetched packages are kept, default ~/.cache/tarn
#	RELEASE=1		the lock decides; without it, what a mirror has no more is taken in its newest version
#	IMAGE_VERSION		default: that of firmware/base/version.h
#	IMAGE_KEY		Ed25519 private key (PEM) that signs the update; without it (never for RELEASE=1) one is made
#	IMAGE_KEYS		folder of public keys (*.pem) that the image also takes updates from: a rotation's next key
#	IMAGE_DEBUG=1		a shell on the second serial port; the file's name says -debug
#	SECUREBOOT_KEY, SECUREBOOT_CERT	sign what the firmware loads, by the owner's key
#	IMAGE_CMDLINE		words for the kernel's command line, as tarn.deadline=SECONDS
#	IMAGE_FAST=1		compress little: for tests
#	IMAGE_REUSE=1		only a new .update of the root tree that is there: for tests of updates

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
ARCH=${ARCH:-$(dpkg --print-architecture)}
BUILD=$(realpath -m "${BUILD:-$top/build}")
# shellcheck disable=SC2034 # read by the scripts that source this
case $ARCH in
amd64) efi=x64 triplet=x86_64-linux-gnu loader=lib64/ld-linux-x86-64.so.2 cross='' \
	consoles='console=tty0 console=ttyS0,115200 vsyscall=none' debug_tty=ttyS1 ;;
arm64) efi=aa64 triplet=aarch64-linux-gnu loader=lib/ld-linux-aarch64.so.1 cross=aarch64-linux-gnu- \
	consoles='console=tty0 console=ttyAMA0,115200' debug_tty=ttyS0 ;;
*) echo "image: ARCH=$ARCH is neither amd64 nor arm64" >&2; exit 2 ;;
esac
[[ $ARCH != "$(dpkg --print-architecture)" ]] || cross=''

# The board is the one that the programs were configured for.
board=''
! grep -qsx CONFIG_BOARD_QEMU=y "$BUILD/config" || board=-qemu
kind=$ARCH$board

cache=${TARN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tarn}
debs=$cache/debs/$ARCH
OUT=$(realpath -m "${IMAGE_OUT:-$BUILD}")
work=$OUT/image/$ARCH
lock=$here/lock.$ARCH
sysroot=$BUILD/sysroot # for another kind of machine than this one
used=$work/lock.used # the lock, or what took its place
version=${IMAGE_VERSION:-$(sed -n 's/^#define TARN_VERSION "\(.*\)"/\1/p' "$top/firmware/base/version.h")}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH ARCH BUILD LC_ALL=C.UTF-8 TZ=UTC
export PATH=$PATH:/usr/sbin:/sbin
umask 022

say() { printf '  %-7s %s\n' "$1" "$2"; }
die() {
	echo "image: $*" >&2
	exit 1
}

# apt COMMAND...: apt-get or apt-cache for ARCH with lists of its own; the machine's stay untouched.
apt() {
	local tool=$1 root=$cache/apt/$ARCH
	shift
	mkdir -p "$root/lists/partial" "$root/archives/partial"
	: >"$root/status"
	cat >"$root/apt.conf" <<-END
		APT::Architecture "$ARCH";
		APT::Architectures { "$ARCH"; };
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Dir::State "$root";
		Dir::State::lists "$root/lists";
		Dir::State::status "$root/status";
		Dir::Cache "$root";
		Dir::Cache::archives "$root/archives";
	END
	APT_CONFIG=$root/apt.conf "$tool" -qq "$@"
}

# real_name PACKAGE: the kernel's changes with each ABI.
real_name() {
	case $1 in
	linux-image) apt apt-cache depends "linux-image-$ARCH" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1 ;;
	*) echo "$1" ;;
	esac
}

# The package names of packages.txt, or those of one use. "cross" is only asked for where it is needed.
packages() {
	awk -v use="${1:-}" -v cross="$cross" '
		!/^#/ && NF && (use == "" ? $2 != "cross" || cross != "" : $2 == use) { print $1 }' "$here/packages.txt"
}
