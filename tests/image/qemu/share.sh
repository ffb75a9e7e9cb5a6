#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# The repository by FTP ([share] ftp): nothing of it is there while it is off; on, a device copies it, and nobody writes, logs
# in, or comes from elsewhere; killed, it comes back; off again, all of it is gone.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
catalogue_box

box=$(vm "ip -4 -o addr show dev br0" | grep -oE '10\.7\.0\.[0-9]+' | head -n 1)
ftp() { in_ns "$1" curl -sS --max-time 20 "${@:2}"; } # DEVICE [OPTION]... URL
closed() { ! in_ns dev1 bash -c "exec 3<>/dev/tcp/$box/21"; }
nothing_runs() { vm '! ps w | grep -E "[v]sftpd|[t]arn-mount" && ! grep " /run/share" /proc/mounts'; }
# switch SETTING=VALUE...: kept.
switch() { vm "tarnctl config set $* >/dev/null && tarnctl config confirm"; }

check 'off: nothing listens' closed
check '... nothing runs' nothing_runs
check '... the kernel has nothing of it' vm '! lsmod | grep -q ^fuse'
mark
check 'it is switched on' switch share.ftp=yes
check '... which the console says' becomes 'share ftp=on' 60
listed() { ftp dev1 "ftp://$box/current/example/files/" | grep -q large; }
check 'a device sees the folder' wait_until 120 listed || { vm 'ps w; tail -n 20 /state/log/tarn.log' | sed 's/^/# /'; }
mkdir -p "$work/copy/deep"
copied() { # DEVICE
	local name
	for name in index.lst "${objects[@]}"; do ftp "$1" -o "$work/copy/$name" "ftp://$box/current/example/files/$name" || return 1; done
	catalogue_same "$work/copy"
}
check '... and copies all of it' copied dev1
check '... also from the middle of a file' cmp <(ftp dev1 -r 1000000- "ftp://$box/current/example/files/large") \
	<(tail -c +1000001 "$work/files/large")
refuse 'nothing is written' ftp dev1 -T "$work/settings" "ftp://$box/current/example/files/new"
refuse '... nor deleted' ftp dev1 -Q '-DELE current/example/files/one' "ftp://$box/"
refuse 'nobody logs in' ftp dev1 -u root:root "ftp://$box/"
refuse 'the server is never told where to send' ftp dev1 -P - "ftp://$box/current/example/files/one"
refuse 'nothing is outside of it' ftp dev1 --path-as-is "ftp://$box/%2f../../../etc/passwd"
owners() { vm 'ps w -o user,args' | grep -E '[t]arn-mount' | grep -q '^mount'; }
check 'what reads the store has no rights' owners || vm 'ps w -o user,args' | sed 's/^/# /'
check 'no service listens beside it' test "$(vm 'netstat -ltn' | grep -cE ':21 ')" = 1

check 'for one device alone' switch proxy.allow=10.7.0.11/32
refused_other() { ! ftp dev2 "ftp://$box/"; }
check '... another is refused' wait_until 30 refused_other
check '... that one is not' copied dev1
vm 'killall -9 tarn-mount vsftpd 2>/dev/null || kill -9 $(pidof tarn-mount vsftpd)' >/dev/null
check 'killed, they come back' wait_until 90 copied dev1

check 'it is switched off' switch share.ftp=no
check '... nothing listens' wait_until 30 closed
check '... nothing runs' wait_until 30 nothing_runs

vm_kill
done_testing
