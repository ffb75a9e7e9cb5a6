#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# What the running box has closed: its kernel, its file systems, its programs. That the image's files are what they should be is for
# build/papers.sh, who reaches it from outside for boot.sh, that there is no shell for release.sh.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
check 'it intercepts: locked down, the kernel takes our BPF programs' wait_until 120 intercepted dev1 $v4/

# ---- the kernel -------------------------------------------------------------------------------------------------------

check 'the kernel is locked down' vm 'mount -t securityfs none /tmp && grep -q "\[integrity\]" /tmp/lockdown; s=$?; umount /tmp; test $s = 0'
refuse '... its memory is not to be read' vm 'dd if=/dev/mem of=/dev/null bs=4096 count=1 skip=256'
refuse '... no other kernel is loaded' vm 'echo 0 >/proc/sys/kernel/kexec_load_disabled'
check 'it has good random numbers' vm 'dmesg | grep -q "crng init done"'
wanted=(
	kernel/kptr_restrict=2 kernel/dmesg_restrict=1 kernel/yama/ptrace_scope=2 kernel/perf_event_paranoid=3 kernel/sysrq=0
	kernel/kexec_load_disabled=1 kernel/randomize_va_space=2 'kernel/core_pattern=|/bin/false' kernel/panic=5 kernel/panic_on_oops=1
	fs/suid_dumpable=0 fs/protected_symlinks=1 fs/protected_hardlinks=1 fs/protected_fifos=2 fs/protected_regular=2
	user/max_user_namespaces=0 vm/mmap_min_addr=65536 net/core/bpf_jit_enable=1 net/core/bpf_jit_harden=1
	net/ipv4/ip_forward=0 net/ipv6/conf/all/forwarding=0 net/ipv4/conf/all/accept_redirects=0
	net/ipv6/conf/br0/accept_redirects=0 net/ipv4/conf/br0/accept_redirects=0 net/ipv4/conf/all/accept_source_route=0
	net/ipv4/icmp_echo_ignore_broadcasts=1 net/ipv4/tcp_rfc1337=1 net/ipv4/tcp_syncookies=1
)
settings=$(vm "for f in ${wanted[*]%%=*}; do echo \"\$f=\$(cat /proc/sys/\$f)\"; done")
for one in "${wanted[@]}"; do
	check "$one" grep -qxF "$one" <<<"$settings" || grep "^${one%%=*}=" <<<"$settings" | sed 's/^/# /'
done
bpf_closed() { [[ $(vm 'cat /proc/sys/kernel/unprivileged_bpf_disabled') == [12] ]]; }
check 'BPF is for root' bpf_closed

# ---- file systems -----------------------------------------------------------------------------------------------------

mounts=$(vm 'cat /proc/mounts')
while read -r line; do echo "# $line"; done <<<"$mounts"
root_read_only() { [[ $(awk '$2 == "/" { type = $3; options = $4 } END { print type, options }' <<<"$mounts") == 'squashfs ro,'* ]]; }
check 'the root is read-only' root_read_only
refuse '... nothing is written to it' vm 'touch /usr/bin/new'
refuse '... nor is it made writable' vm 'mount -o remount,rw / && touch /usr/bin/new'
open_mounts() { # OPTION: those without it
	awk -v option="$1" '$2 != "/" && $2 != "/dev" && ("," $4 ",") !~ "," option "," { print; found = 1 } END { exit !found }' <<<"$mounts"
}
for option in nosuid noexec; do refuse "all else is $option" open_mounts $option; done
for place in /state /var/cache/tarn /run /tmp; do
	check "$place: no devices" grep -qE "^[^ ]+ $place [^ ]+ [^ ]*nodev" <<<"$mounts"
done
refuse "the firmware's partition is not mounted" grep -q vfat <<<"$mounts"
refuse 'a program of the state runs nowhere' vm 'cp /usr/bin/busybox /state/busybox && /state/busybox true; s=$?; rm -f /state/busybox; test $s = 0'

# ---- programs ---------------------------------------------------------------------------------------------------------

status() { vm "grep -E '^($2):' /proc/\$(pidof $1 | cut -d ' ' -f 1)/status" | tr -s '\t' ' '; }
has() { status "$1" "${2%%:*}" | tee /dev/stderr | grep -qx "$2"; } # PROGRAM LINE
check 'the data plane is nobody' has tarn-proxy 'Uid: 800 800 800 800'
for set in CapInh CapPrm CapEff CapAmb; do check "... with no rights ($set)" has tarn-proxy "$set: 0000000000000000"; done
check '... and gets none' has tarn-proxy 'NoNewPrivs: 1'
check '... its system calls are filtered' has tarn-proxy 'Seccomp: 2'
for program in init tarnd tarn-proxy; do
	check "$program leaves no core" vm "grep -qE '^Max core file size +0 +0 ' /proc/\$(pidof $program | cut -d ' ' -f 1)/limits"
done
others() { vm 'for p in $(pidof ntpd); do grep -E "^Uid" /proc/$p/status; done' | awk '$2 { found = 1 } END { exit !found }'; }
check 'what speaks with time servers has no rights' others || vm 'ps w -o user,args' | sed 's/^/# /'
keys_closed() { [[ $(vm 'find /state -type f \( -name "*.pem" -o -name hostkey -o -name access \) -perm /077' | grep -v ca.crt) == '' ]]; }
check 'keys and hashes are for root' keys_closed || vm 'find /state -type f -exec ls -l {} +' | sed 's/^/# /'
vm_kill
done_testing
