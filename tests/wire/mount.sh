#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tarn-mount: whole generations as folders, read by what people share and copy folders with: cp, rsync, vsftpd with curl and
# lftp, samba with smbclient. While the store serves and evicts, after kill -9 of the mount and of the proxy.
#
# timeout: 240
#
#	curl --> tarn-proxy :PORT --> nginx 127.0.0.9:ORIGIN
#	cp, rsync, vsftpd, smbd --> MNT --> tarn-mount --> the proxy's socket
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
export WIRE_PROFILE=fleet FLEET_TTL=1m

[[ -x $build/bin/tarn-mount ]] || skip_all 'tarn-mount is not in this build (CONFIG_MOUNT)'
[[ $(id -u) == 0 ]] || skip_all 'only root shares a mount with servers'
[[ -c /dev/fuse ]] || skip_all 'there is no /dev/fuse'

ftp=$((port + 2)) smb=$((port + 3)) mnt=$dir/mnt
at_end() { umount -l "$mnt" 2>/dev/null; }

# ---- the vendor -------------------------------------------------------------------------------------------------

www=$dir/www
api() { curl -sS --max-time 5 --unix-socket "$dir/run/proxy.sock" "http://x/api/v1/$1" "${@:2}"; }
generation() { # 0: none
	[[ ! -S $dir/run/proxy.sock ]] && echo 0 && return
	api repository | jq '.profiles[0].current.number // 0'
}
dated=$(($(date +%s) - 600))
publish() { # a generation: four objects are new; sets `before`, the box's of now
	local file
	before=$(generation)
	mkdir -p "$www/bases/av" "$www/bases/deep/er"
	[[ -e $www/bases/1.dat ]] || for i in {1..12}; do head -c $((i * i * 4000)) /dev/urandom >"$www/bases/$i.dat"; done
	head -c 5M /dev/urandom >"$www/bases/av/large.dat"
	head -c 300K /dev/urandom >"$www/bases/1.dat"
	head -c 100 /dev/urandom >"$www/bases/deep/er/a b+c.dat"
	[[ -e $www/bases/empty ]] || : >"$www/bases/empty"
	(
		cd "$www" || exit
		find bases -type f ! -name '* *' -printf '%P\n' | sort | while read -r file; do
			printf '%s %s /bases/%s %s\n' "$(sha256sum "bases/$file" | cut -d' ' -f1)" "$(stat -c %s "bases/$file")" "$file" "$file"
		done
		file='bases/deep/er/a b+c.dat'
		printf '%s %s /bases/deep/er/a%%20b+c.dat abc\n' "$(sha256sum "$file" | cut -d' ' -f1)" "$(stat -c %s "$file")"
	) >"$dir/index"
	# A date of their own, or what is made within one second has the same entity tag.
	dated=$((dated + 1))
	touch -d "@$dated" "$dir/index" "$www/bases/av/large.dat" "$www/bases/1.dat" "$www/bases/deep/er/a b+c.dat"
	mv "$dir/index" "$www/index.lst"
	touch -d '2026-01-02 03:04:05' "$www/bases/2.dat"
}
publish
nginx_start <<END
	access_log off;
	server { listen 127.0.0.9:$origin; root $www; }
END

# ---- the box ----------------------------------------------------------------------------------------------------

proxy() {
	box_start -o log.level=info -o sync.interval=1d -o sync.jitter=0s "$@"
}
mounted() { stat -f "$mnt" && mountpoint -q "$mnt"; }
mount_as() { # USER
	exec "$build/bin/tarn-mount" -c /dev/null -s "$dir/run/proxy.sock" --all --user "$1" "$mnt" >>"$dir/mount.log" 2>&1
}
mount_start() {
	"$build/bin/tarn-mount" -c /dev/null -s "$dir/run/proxy.sock" --all "$mnt" >>"$dir/mount.log" 2>&1 &
	pids[mount]=$!
	wait_until 10 mounted && wait_until 10 ls "$mnt"
}
# A newer one than `before`, with all that there is.
is_newer() {
	api repository | jq -e --argjson before "$before" --argjson n "$(urls | wc -l)" \
		'.profiles[0].current | .number > $before and .objects == $n' >/dev/null
}
urls() { (cd "$www" && find . -type f -printf '%P\n' | sort -r | sed 's/ /%20/g'); }
devices() { # all is asked for; indexes first
	local url
	for url in $(urls); do
		curl -sSf --max-time 10 -o /dev/null "http://127.0.0.1:$port/acme/$url" || return 1
	done
}
# A generation that is published whole and seen in the mount.
sync_now() {
	wire idle
	wait_until 60 published
}
# Asks for it, again and again: what a device has just had may not be known as asked for yet. A newer one may still be of
# the vendor's files before, when it was under way.
published() {
	api sync -H 'Content-Type: application/json' -d '{"action": "now"}' >/dev/null
	for _ in {1..50}; do
		is_newer && is_shown && cmp -s "$mnt/current/acme/index.lst" "$www/index.lst" && return
		read -rt 0.02 <> <(:) || :
	done
	return 1
}
is_shown() { [[ $(getfattr --absolute-names --only-values -n user.tarn.generation "$mnt/current/acme/index.lst" 2>/dev/null) == "$(generation)" ]]; }
same() { diff -rq "$www" "$1"; }
proxy
mkdir "$mnt" "$dir/copy"
mount_start
check 'mounted' mounted
check 'nothing published: two empty folders' test "$(find "$mnt" | sort | tr '\n' ' ')" == "$mnt $mnt/current $mnt/previous "
# What is asked for first begins a generation by itself, of what was asked for until then. The next one has it all.
devices || exit 1
publish
check 'a generation is published and shown' sync_now
check 'byte for byte, in the vendor'"'"'s own folders' same "$mnt/current/acme"
stats() { (cd "$1" && find . -type f -printf '%P %s %Ts\n' | sort); }
check 'sizes and dates are the vendor'"'"'s' diff <(stats "$www") <(stats "$mnt/current/acme")
attribute() { getfattr --absolute-names --only-values -n "user.tarn.$1" "$mnt/current/acme/$2"; }
check 'the digest is an attribute' test "$(attribute sha256 bases/7.dat)" == "$(sha256sum <"$www/bases/7.dat" | cut -d' ' -f1)"
check 'so is the path' test "$(attribute path 'bases/deep/er/a b+c.dat')" == '/bases/deep/er/a%20b+c.dat'
check 'and the validator' grep -q '^"' <<<"$(attribute etag bases/7.dat)"
check 'all of them are listed' test "$(getfattr --absolute-names -d "$mnt/current/acme/bases/7.dat" 2>/dev/null | grep -c '^user.tarn.')" == 4
check 'it says that it is read-only' grep -q ' ro,nosuid,nodev,noexec' <(grep " $mnt " /proc/mounts)
refuse 'nothing can be written' touch "$mnt/current/acme/x"
refuse 'nor removed' rm "$mnt/current/acme/index.lst"

# ---- who reads it -----------------------------------------------------------------------------------------------

cp -r "$mnt/current/acme" "$dir/copy/cp"
check 'cp -r' same "$dir/copy/cp"
rsync -a "$mnt/current/acme/" "$dir/copy/rsync"
check 'rsync' same "$dir/copy/rsync"
check '... and again: nothing is new' test -z "$(rsync -ai "$mnt/current/acme/" "$dir/copy/rsync")"

if command -v vsftpd lftp >/dev/null; then
	mkdir "$dir/empty"
	cat >"$dir/vsftpd.conf" <<-END
		listen=YES
		listen_address=127.0.0.1
		listen_port=$ftp
		background=NO
		anonymous_enable=YES
		anon_root=$mnt
		no_anon_password=YES
		local_enable=NO
		secure_chroot_dir=$dir/empty
		seccomp_sandbox=NO
		pasv_address=127.0.0.1
		xferlog_enable=NO
	END
	setsid vsftpd "$dir/vsftpd.conf" >"$dir/vsftpd.log" 2>&1 &
	pids[ftp]=$!
	wait_until 10 curl -sSf --max-time 2 "ftp://127.0.0.1:$ftp/" || cat "$dir/vsftpd.log"
	lftp -c "set net:timeout 10; set net:max-retries 2; open 127.0.0.1:$ftp; mirror --parallel=4 current/acme $dir/copy/lftp" >"$dir/lftp.log" 2>&1
	check 'FTP: lftp mirrors it' same "$dir/copy/lftp" || cat "$dir/lftp.log"
	curl -sSf --max-time 20 -o "$dir/one" "ftp://127.0.0.1:$ftp/current/acme/bases/av/large.dat"
	check 'FTP: curl gets a file' cmp "$dir/one" "$www/bases/av/large.dat"
	curl -sSf --max-time 20 -r 1000000- -o "$dir/one" "ftp://127.0.0.1:$ftp/current/acme/bases/av/large.dat"
	check 'FTP: ... and the rest of one' cmp "$dir/one" <(tail -c +1000001 "$www/bases/av/large.dat")
else
	skip 'FTP' 'vsftpd or lftp is not installed'
fi

if command -v smbd smbclient >/dev/null; then
	mkdir -p "$dir/smb"/{lock,state,cache,private,pid}
	cat >"$dir/smb.conf" <<-END
		[global]
		server role = standalone server
		interfaces = 127.0.0.1
		bind interfaces only = yes
		smb ports = $smb
		map to guest = bad user
		guest account = nobody
		load printers = no
		disable spoolss = yes
		log file = $dir/smb/log
		lock directory = $dir/smb/lock
		state directory = $dir/smb/state
		cache directory = $dir/smb/cache
		private dir = $dir/smb/private
		pid directory = $dir/smb/pid
		ncalrpc dir = $dir/smb/ncalrpc
		[updates]
		path = $mnt
		read only = yes
		guest ok = yes
	END
	# In a session of its own: it ends all of its process group.
	setsid smbd --foreground --no-process-group -s "$dir/smb.conf" >"$dir/smbd.log" 2>&1 &
	pids[smb]=$!
	client() { timeout 30 smbclient -N -s "$dir/smb.conf" -p "$smb" //127.0.0.1/updates -c "$1"; }
	wait_until 30 client 'ls' || { cat "$dir/smbd.log" "$dir/smb/log"; }
	mkdir "$dir/copy/smb"
	client "recurse on; prompt off; cd current; lcd $dir/copy/smb; mget acme" >"$dir/client.log" 2>&1
	check 'SMB: smbclient gets the tree' same "$dir/copy/smb/acme" || cat "$dir/client.log"
	refuse 'SMB: nothing can be put there' client "cd current/acme; put $dir/smb.conf x"
else
	skip 'SMB' 'samba or smbclient is not installed'
fi

# ---- another generation -----------------------------------------------------------------------------------------

cp -r "$www" "$dir/before"
exec 5<"$mnt/current/acme/bases/av/large.dat"
head -c 100000 <&5 >"$dir/held"
cd "$mnt/current/acme" || exit 1
publish
check 'a new generation is published and shown' sync_now
check 'byte for byte' same "$mnt/current/acme"
check 'the one before stands beside it' diff -rq "$dir/before" "$mnt/previous/acme"
cat <&5 >>"$dir/held"
exec 5<&-
check 'an open file goes on with the old one' cmp "$dir/held" "$dir/before/bases/av/large.dat"
check 'who stands in the old one keeps it, all of it' diff -rq "$dir/before" .
cd "$dir" || exit 1

# ---- the proxy goes, the mount goes --------------------------------------------------------------------------------

stop box KILL
check 'kill -9 of the proxy: names are still there' test -e "$mnt/current/acme/bases/2.dat"
# direct: not from what the kernel has of it.
refuse '... reading says that it fails' dd "if=$mnt/current/acme/bases/3.dat" iflag=direct of=/dev/null bs=4096
proxy
check 'it is back: all can be read' same "$mnt/current/acme"
cat "$mnt/current/acme/bases/av/large.dat" >/dev/null 2>&1 &
stop mount KILL
wait $!
refuse 'kill -9 of the mount: nobody answers for it' ls "$mnt/current"
check '... devices are served' devices
mount_start
check '... a new one takes its place' mounted
check '... and shows the same' same "$mnt/current/acme"
stop mount
check 'told to end it unmounts' eval '! mountpoint -q "$mnt"'
mount_start
check 'it is unmounted' umount "$mnt"
wait "${pids[mount]}"
check '... and ends' test $? == 0
unset "pids[mount]"
refuse 'as nobody that there is it shows nothing' eval '(mount_as no-such-user)'
check '... and leaves no mount' eval '! mountpoint -q "$mnt"'
mount_as nobody &
pids[mount]=$!
check 'without rights it is mounted' wait_until 10 mounted
check '... as that user' test "$(stat -c %U "/proc/${pids[mount]}")" == nobody
check '... and shows the same' same "$mnt/current/acme"
umount "$mnt"
wait "${pids[mount]}"
unset "pids[mount]"

# ---- something of it goes ------------------------------------------------------------------------------------------------

mount_start
tarnctl() { "$build/bin/tarnctl" -c /dev/null -s "$dir/run/proxy.sock" -k "$dir/run/none.sock" "$@"; }
tarnctl cache rm bases/7.dat >/dev/null
printf '[proxy]\nadmin_socket = %s\n[keeper]\nstate = %s\n[vendors]\ndir = %s\n' "$dir/run/proxy.sock" "$dir/state" "$dir/vendors" >"$dir/tarn.conf"
out=$("$build/bin/tarnctl" --json -c "$dir/tarn.conf" export "$dir/exported")
check 'export: the exit status says that it is not whole' test $? == 1
check '... so does what it prints' test "$(jq -r '.[0] | "\(.whole) \(.number > 0)"' <<<"$out")" == 'false true'
refuse '... and import does not take it' "$build/bin/tarnctl" -c "$dir/tarn.conf" import "$dir/exported"
refuse 'what is gone can not be read' dd "if=$mnt/current/acme/bases/7.dat" iflag=direct of=/dev/null bs=4096
is_hidden() { [[ ! -e $mnt/current/acme && ! -e $mnt/previous/acme ]]; }
check 'and neither generation is shown any more' wait_until 15 is_hidden
publish
check 'the next generation is shown' sync_now
check '... byte for byte' same "$mnt/current/acme"
stop mount

# ---- while the store serves and evicts ------------------------------------------------------------------------------

stop box
proxy -o cache.size=24M
mount_start
head -c 3M /dev/urandom >"$www/filler"
filling() { # other content comes, until there was no room
	local i
	for ((i = 0; i < 40 && $(wire stat store.evicted) < 4; i++)); do
		curl -sSf --max-time 10 -o /dev/null "http://127.0.0.1:$port/acme/filler?$i" || return 1
	done
}
filling &
filler=$!
wrong=0 rounds=0 exports=0
while kill -0 "$filler" 2>/dev/null; do
	rm -rf "$dir/copy/now"
	# What can be read is right, or it is not read.
	if (cd "$mnt/current/acme" && cp -r . "$dir/copy/now") 2>/dev/null; then
		diff -rq -x filler "$www" "$dir/copy/now" >/dev/null || wrong=$((wrong + 1))
	fi
	# The same of what is exported; a generation that is not whole any more is not.
	rm -rf "$dir/copy/out"
	if "$build/bin/tarnctl" -c "$dir/tarn.conf" export -p acme "$dir/copy/out" >"$dir/export.log" 2>&1; then
		diff -rq -x filler "$www" "$dir/copy/out/acme" >/dev/null || wrong=$((wrong + 1))
		exports=$((exports + 1))
	fi
	rounds=$((rounds + 1))
done
wait "$filler"
check 'the store has had to make room' test "$(wire stat store.evicted)" -ge 4
check "$rounds copies and exports meanwhile, $exports of these whole: right or refused" test "$wrong" == 0
done_testing
