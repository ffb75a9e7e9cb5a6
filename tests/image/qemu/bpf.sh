#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# What the image's kernel, Debian 12's, makes of our BPF programs: tests/bpf/steer.c in a machine of its own. Another kernel's
# verifier takes other programs.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

# with_libraries PROGRAM AS: it and what it is linked with.
with_libraries() {
	local library
	install -D "$1" "$work/tree$2"
	for library in $(ldd "$1" | grep -o '/[^ ]*'); do install -D "$library" "$work/tree$library"; done
}
busybox=$(find "$images" -name busybox -type f -print -quit)
kernel=$(find "$images" -name vmlinuz -type f -print -quit)
mkdir -p "$work"/tree/{proc,sys,dev,tmp}
with_libraries "$busybox" /bin/busybox
with_libraries "$BUILD/tests/bpf/steer" /bin/steer
cat >"$work/tree/init" <<'END'
#!/bin/busybox sh
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox ip link set lo up
echo "kernel $(/bin/busybox uname -r)"
EMULATED=1 /bin/steer 2>&1
/bin/busybox poweroff -f
END
chmod +x "$work/tree/init"
(cd "$work/tree" && find . | cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initrd"
timeout 300 qemu-system-x86_64 -m 512 -nographic -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 $emulated" </dev/null 2>&1 | tr -d '\r' >"$work/said"
grep '^kernel ' "$work/said" | sed 's/^/# /'
all_pass() {
	grep -a 'PASSED\|FAILED\|ERROR\|libbpf\|invalid' "$work/said" | tail -n 30
	grep -aq '^\[  PASSED  \] [1-9][0-9]* test(s)\.$' "$work/said" && ! grep -aq 'FAILED\|ERROR' "$work/said"
}
check 'it takes them, and they do there what they do here' all_pass
done_testing
