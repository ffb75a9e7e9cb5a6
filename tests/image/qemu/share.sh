#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# The repository by FTP and SMB ([share] ftp, smb): nothing of it is there while it is off; on, a device copies it, and nobody
# writes, logs in, or comes from elsewhere; killed, it comes back; off again, all of it is gone.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
catalogue_box

box=$(vm "ip -4 -o addr show dev br0" | grep -oE '10\.7\.0\.[0-9]+' | head -n 1)
ftp() { in_ns "$1" curl -sS --max-time 20 "${@:2}"; } # DEVICE [OPTION]... URL
smb() { in_ns "$1" timeout 60 smbclient -N -s /dev/null -m SMB3 "//$box/updates" "${@:3}" -c "$2"; } # DEVICE COMMAND [OPTION]...
closed() { ! in_ns dev1 bash -c "exec 3<>/dev/tcp/$box/$1"; } # PORT
nothing_runs() { vm '! ps w | grep -E "[v]sftpd|[s]mbd|[t]arn-mount" && ! grep -E " /run/(share|smb)" /proc/mounts'; }
# switch SETTING=VALUE...: kept.
switch() { vm "tarnctl config set $* >/dev/null && tarnctl config confirm"; }

check 'off: nothing listens' closed 21
check '... by SMB neither' closed 445
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
check 'no service listens beside it' test "$(vm 'netstat -ltn' | grep -cE ':(21|139|445) ')" = 1

# ---- SMB ---------------------------------------------------------------------------------------------------------------

memory() { vm 'grep MemAvailable /proc/meminfo' | grep -oE '[0-9]+'; }
before=$(memory)
mark
check 'SMB is switched on' switch share.smb=yes
check '... which the console says' becomes 'share smb=on' 60
smb_listed() { smb dev1 'ls current/example/files/*' | grep -q large; }
check 'a device sees the folder by SMB' wait_until 120 smb_listed || { vm 'ps w; tail -n 20 /state/log/tarn.log' | sed 's/^/# /'; }
smb_copied() { # DEVICE
	rm -rf "$work/smb"
	mkdir "$work/smb"
	smb "$1" "recurse on; prompt off; cd current; lcd $work/smb; mget example" && catalogue_same "$work/smb/example/files"
}
check '... and copies all of it' smb_copied dev1
check '... by the oldest protocol that is taken, too' smb dev1 'ls' -m SMB2_02
refuse '... not by SMB 1' smb dev1 'ls' --option='client min protocol = NT1' -m NT1
denied() { smb dev1 "$1" 2>&1 | tee /dev/stderr | grep -q '^NT_STATUS_ACCESS_DENIED'; } # its status does not say
check 'SMB: nothing is written' denied "cd current/example/files; put $work/settings new"
check '... nor deleted' denied 'cd current/example/files; rm one'
check '... nor made' denied 'mkdir new'
check '... nor renamed' denied 'cd current/example/files; rename one two'
check '... all is as it was' smb_copied dev1
refuse 'SMB: nothing is outside of it' smb dev1 "get ../../etc/passwd $work/outside"
refuse '... no other share' in_ns dev1 timeout 60 smbclient -N "//$box/root" -c ls
who_is() { smb dev1 'ls' -U 'root%root' && ! vm 'ps w -o user,args' | grep '[s]mbd' | grep -vE '^(smb|804) '; }
check 'SMB: who logs in is the guest, and all of it runs without rights' who_is || vm 'ps w -o user,args' | sed 's/^/# /'
rights() { vm 'for p in $(pidof smbd); do grep -E "^(Cap(Eff|Prm|Bnd)|NoNewPrivs|Uid)" /proc/$p/status; done' | sort -u; }
rights | sed 's/^/# /'
check '... but to listen at its port' test "$(rights | grep -cvE '^(Cap(Eff|Prm|Bnd):.0000000000000400|NoNewPrivs:.1|Uid:(.804){4})$')" = 0
check '... one port of it is open, no more' test "$(vm 'netstat -lntu' | grep -E '^(tcp|udp)' | grep -cE ':(137|138|139|445) ')" = 2
check '... its state is in memory' vm 'grep -q "^tmpfs /run/smb tmpfs rw,nosuid,nodev,noexec,.*size=16384k,mode=700,uid=804" /proc/mounts'
echo "# SMB takes $(((before - $(memory)) / 1024)) MiB of memory"
# More at once than there are sessions; each stays until the pipe is closed.
mkfifo "$work/hold"
exec {hold}<>"$work/hold"
pids=()
for _ in {1..40}; do
	in_ns dev2 timeout 120 smbclient -N -s /dev/null "//$box/updates" <"$work/hold" >/dev/null 2>&1 {hold}>&- &
	pids+=($!)
done
many() { local n; n=$(vm 'pidof smbd | wc -w'); echo "$n"; ((n >= 30 && n <= 36)); }
check 'SMB: no more sessions than there may be' wait_until 30 many
exec {hold}>&-
wait "${pids[@]}"
check '... and when they are gone it goes on' wait_until 60 smb_copied dev1

# ---- both --------------------------------------------------------------------------------------------------------------

check 'for one device alone' switch proxy.allow=10.7.0.11/32
refused_other() { ! ftp dev2 "ftp://$box/"; }
check '... another is refused' wait_until 30 refused_other
refused_smb() { ! smb dev2 ls; }
check '... by SMB, too' wait_until 30 refused_smb
check '... that one is not' copied dev1
check '... nor by SMB' wait_until 30 smb_copied dev1
vm 'killall -9 tarn-mount vsftpd smbd 2>/dev/null || kill -9 $(pidof tarn-mount vsftpd smbd)' >/dev/null
check 'killed, they come back' wait_until 90 copied dev1
check '... SMB, too' wait_until 90 smb_copied dev1
check 'FTP is switched off' switch share.ftp=no
check '... nothing listens there' wait_until 30 closed 21
check '... SMB goes on' smb_copied dev1

check 'SMB is switched off' switch share.smb=no
check '... nothing listens' wait_until 30 closed 445
check '... nothing runs' wait_until 30 nothing_runs

vm_kill
done_testing
