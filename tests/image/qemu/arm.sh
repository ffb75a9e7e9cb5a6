#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# The image for arm64, built here by the cross compiler, in a virtual machine with AAVMF as its firmware: it boots, gets
# its address, and devices get from its cache what the vendor has sent. Killed, its programs stop no traffic.
set -u
ARCH=arm64
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
# The folder as `make ARCH=arm64` names it: by another name all would be compiled again.
programs() {
	make -C "$top" --no-print-directory BUILD="$(realpath --relative-to="$top" "$built")" ARCH=arm64 all boot-programs
}
needs_packages
check 'the programs are built' programs || done_testing
needs
check 'the image is built' image_have || done_testing

office
head -c 3000000 /dev/urandom >"$work/files/object"
touch -d '10 days ago' "$work/files/"*
check 'an update for another kind of machine is made' foreign_update amd64
disk_make "$image" "$work/disk" 4G
cat >"$work/profile" <<-END
	[vendor]
	name = example
	[hosts]
	exact = mirror.vendor.example
	[reach]
	host = mirror.vendor.example
END
seeded() { mmd -i "$work/disk@@1M" ::/tarn/vendors && seed "$work/disk" "$work/profile" vendors/example.conf; }
check 'a seed is put into the ESP' seeded
vm_start "$work/disk"

v4=http://198.51.100.10 v6='http://[2001:db8:51::10]'
check 'the office goes through it before anything of ours runs' wait_until 120 direct dev1 $v4/ || console_show
check 'it is ready' becomes ready
ready_say
check 'it is an arm64 machine' vm '[ "$(uname -m)" = aarch64 ]'
check 'both ports are in the bridge' test "$(word ready ports)" = 2
check 'the hardware watchdog is held' says 'watchdog open=yes'
check 'it intercepts' wait_until 90 intercepted dev1 $v4/ || { vm 'tarnctl status' | sed 's/^/# /'; console_show; }
check 'by IPv6, too' wait_until 30 intercepted dev1 "$v6/"

same_bytes() { # NS BASE
	in_ns "$1" curl -sS --max-time 60 -H 'Host: mirror.vendor.example' -D "$work/head.$1" "$2/files/object" |
		cmp - "$work/files/object"
}
check 'an object comes whole' same_bytes dev1 $v4
check 'another device gets it, too, by IPv6' same_bytes dev2 "$v6"
check 'from the cache' grep -qi '^cache-status:.*hit' "$work/head.dev2"
check 'the vendor was asked once' test "$(grep -c 'GET /files/object ' "$work/files.log")" = 1
foreign() { in_ns dev1 curl -sS --max-time 20 -H 'Host: foreign.example' "$v4/" | grep -q DIRECT; }
check 'a foreign host on the same address passes' foreign

check 'an update for another kind of machine is refused' refused foreign other-arch
check 'the history says for which, and what this is' history_has '.event == "refused" and (.reason | contains("amd64, not arm64"))'

counted() { [[ $(vm 'tarnctl stat' | awk -v name="$1" '$1 == name { print $2 }') -ge $2 ]]; }
check "its CA's certificates reach who needs them" wait_until 30 counted tls.leaf_minted 1

# The kernel's own hook sees the signal (bpf/doom.bpf.c): the next connection passes, with no moment between.
check 'the data plane is killed' vm 'kill -SEGV $(pidof tarn-proxy)'
check 'and the office goes on' wait_until 20 direct dev1 $v4/
said_where() { vm 'grep -q "fatal signal 11" /state/log/tarn.log && grep -q "__libc_start_main" /state/log/tarn.log'; }
check 'it has said where it stood' wait_until 20 said_where
check 'it intercepts again' wait_until 120 intercepted dev1 $v4/ || { vm 'tarnctl status' | sed 's/^/# /'; console_show; }
check 'with what it had' same_bytes dev1 $v4
check 'from the cache' grep -qi '^cache-status:.*hit' "$work/head.dev1"
vm_kill
done_testing
