#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tarnctl export: a folder of the vendor's own structure, byte for byte, signed; again it writes only what is new; a
# full drive and a kill leave what the next run completes.
#
# timeout: 300
#
#	curl --> tarn-proxy :PORT --> pace 127.0.0.9:ORIGIN		tarnctl export --> DIR
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
small=
at_end() { [[ -z $small ]] || umount -l "$small" 2>/dev/null; }
mkdir -p "$dir/www/bases/av" "$dir/www/up"
printf '<u/>' >"$dir/www/up/index.xml"
head -c 5M /dev/urandom >"$dir/www/bases/av/large.dat"
head -c 300K /dev/urandom >"$dir/www/bases/av/middle.dat"
for i in {1..20}; do head -c $((i * 97)) /dev/urandom >"$dir/www/bases/$i.dat"; done

pace_start
box_start
printf '[proxy]\nadmin_socket = %s\n[keeper]\nstate = %s\n[vendors]\ndir = %s\n' \
	"$dir/run/proxy.sock" "$dir/state" "$dir/vendors" >"$dir/tarn.conf"
tarnctl() { "$build/bin/tarnctl" -c "$dir/tarn.conf" "$@"; }
files() { (cd "$1" && find . -type f -printf "%P\n" | sort); }
fetch() {
	local file
	for file in $(files "$dir/www"); do
		curl -sSf -o /dev/null "http://127.0.0.1:$port/acme/$file" || return 1
	done
	wire count store.stored 23 # committed
}
# is TARGET: the tree there is the vendor's.
is() { diff -r "$dir/www" "$1/acme"; }
# says WORD COMMAND...: its JSON has this value.
number() { jq -r ".[0].$1" <<<"$2"; }
# The newest event of this name, as the box has it: its text.
event() {
	curl -sS --unix-socket "$dir/run/proxy.sock" 'http://x/api/v1/events?limit=1000' |
		jq -r --arg what "$1" '[.events[] | select(.what == $what)] | max_by(.id) | .text'
}

check 'nothing stored: nothing exported, no failure' tarnctl export "$dir/none"
refuse '... but if it was asked for by name' tarnctl export -p acme "$dir/none"
fetch || exit 1
out=$(tarnctl --json export "$dir/out")
check 'a tree of the vendor, byte for byte' is "$dir/out"
check '... all of it written' test "$(number written "$out")" == 23
check '... whole' test "$(number whole "$out")" == true
bytes=$(number bytes "$out")
check '... the box'"'"'s events say what went where' test "$(event export.done)" == \
	"vendor=acme where=$dir/out number=$(number number "$out") objects=23 bytes=$bytes written=$bytes"
check '... tarnctl log, too' grep -q "export.done .*where=$dir/out" <("$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k "$dir/none.sock" log)
check 'dated as the vendor has it' test -n "$(find "$dir/out/acme" -name large.dat ! -newermt tomorrow)"
key=$(tarnctl export --key)
check 'the key is shown' grep -Eq '^[A-Za-z0-9_-]{43}$' <<<"$key"
check '... and lies beside the manifest' test "$(<"$dir/out/TARN/key")" == "$key"
check '... which is signed by it' grep -q "^tarn-export 1 $key " "$dir/out/TARN/acme.manifest"
check 'the private one is for its owner alone' test "$(stat -c %a "$dir/state/export.key")" == 600
check 'nothing else is left' test "$(ls "$dir/out/TARN")" == $'acme.manifest\nkey'

out=$(tarnctl --json export "$dir/out")
check 'again: nothing is written' test "$(number written "$out") $(number kept "$out")" == '0 23'
echo damage >>"$dir/out/acme/bases/3.dat"
rm "$dir/out/acme/bases/4.dat"
printf x | dd of="$dir/out/acme/bases/av/middle.dat" bs=1 seek=1000 conv=notrunc status=none
out=$(tarnctl --json export "$dir/out")
check 'what was damaged or removed is written again' test "$(number written "$out")" == 3
check '... and right' is "$dir/out"

# A new version, and something that the vendor has no more: the store forgets it with the new one.
head -c 6M /dev/urandom >"$dir/www/bases/av/large.dat"
curl -sSf -o /dev/null -H 'Cache-Control: no-cache' "http://127.0.0.1:$port/acme/bases/av/large.dat"
wire count store.stored 24
out=$(tarnctl --json export "$dir/out")
check 'a new version: only that is written' test "$(number written "$out")" == 1
check '... and right' is "$dir/out"

# A link on the drive leads nowhere.
mkdir "$dir/evil" "$dir/victim"
ln -s "$dir/victim" "$dir/evil/acme"
refuse 'a symbolic link in the target is not followed' tarnctl export "$dir/evil"
check '... nothing was written through it' test -z "$(ls -A "$dir/victim")"
shows() { event "$1" | tee /dev/stderr | grep -q "$2"; }
check '... the events say that and why' shows export.failed "^vendor=acme where=$dir/evil why="

# Killed at a random moment (tests/tools/sever), or the proxy is: the next run completes it, and what was whole is not fetched
# again. An export of this asks 24 times at least. TARN_KILLS=5 for less of it.
cut_export() { # N client|server
	rm -rf "$dir/killed"
	rm -f "$dir/cut" "$dir/cut.sock" # of the one before
	"$build/tests/tools/sever" "$dir/cut.sock" "$dir/run/proxy.sock" "$1" "$2" >"$dir/cut" 2>&1 &
	pids[sever]=$!
	wait_until 10 grep -q ready "$dir/cut" || return 1
	"$build/bin/tarnctl" -c "$dir/tarn.conf" -s "$dir/cut.sock" export "$dir/killed" >"$dir/cut.out" 2>&1 &
	wait $! 2>/dev/null
	killed=$?
	wait "${pids[sever]}" || { echo "# question $1: it was done before: $(<"$dir/cut") $(<"$dir/cut.out")"; return 1; }
}
is_completed() {
	local there out
	there=$(grep -sc size "$dir/killed/TARN/acme.journal")
	out=$(tarnctl --json export "$dir/killed")
	is "$dir/killed" >/dev/null || { echo "# not the vendor's tree"; return 1; }
	(($(number kept "$out") >= ${there:-0})) || { echo "# $there were there, $out"; return 1; }
}
kills=${TARN_KILLS:-50}
for ((i = 0; i < kills; i++)); do
	cut_export $((2 + RANDOM % 22)) client || break
	((killed == 137)) || break
	is_completed || break
done
check "killed $kills times, completed each time without writing again what was whole" test "$i" == "$kills"
kills=$(((kills + 4) / 5))
for ((i = 0; i < kills; i++)); do
	cut_export $((2 + RANDOM % 22)) server || break
	((killed != 0 && killed != 137)) || break
	stop box
	box_start
	is_completed || break
done
check "the proxy killed in the middle of it, $kills times: the same" test "$i" == "$kills" || cat "$dir/cut.out"

# The proxy goes in the middle.
stop box
tarnctl export "$dir/gone" >/dev/null 2>&1
check 'no proxy: exit status 2' test $? == 2
box_start
check 'after a restart nothing is written again' test "$(number written "$(tarnctl --json export "$dir/out")")" == 0

small=$dir/small
mkdir "$small"
# held_export COMMAND: what becomes of an export to $small in whose middle this happens.
held_export() {
	local victim
	rm -f "$dir/cut" "$dir/cut.sock" # of the one before
	"$build/tests/tools/sever" "$dir/cut.sock" "$dir/run/proxy.sock" 10 hold <"$dir/go" >"$dir/cut" 2>&1 &
	pids[sever]=$!
	exec 6>"$dir/go"
	wait_until 10 grep -q ready "$dir/cut"
	"$build/bin/tarnctl" -c "$dir/tarn.conf" -s "$dir/cut.sock" export "$small" >"$dir/full" 2>&1 6>&- &
	victim=$!
	wait_until 20 grep -q held "$dir/cut"
	"$1"
	exec 6>&-
	wait "$victim"
}
fill() { head -c 30M /dev/zero >"$small/foreign" 2>/dev/null; }
# As when a drive is pulled out: what has not reached it is lost, and every call to its file system fails (EXT4_IOC_SHUTDOWN).
pull_out() {
	python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$small"
}
if [[ $(id -u) == 0 ]] && mount -t tmpfs -o size=4M tmpfs "$small" 2>/dev/null; then
	out=$(tarnctl export "$small")
	check 'a drive that is too small is refused' grep -q 'too small: .* are needed, .* are free' <<<"$out"
	check '... before anything is written' test ! -e "$small/acme"
	umount "$small"
	mount -t tmpfs -o size=9M tmpfs "$small"
	# It fills up under our feet.
	head -c 2M /dev/zero >"$small/foreign"
	mount -o remount,size=20M "$small"
	mkfifo "$dir/go"
	held_export fill
	full=$?
	check 'one that fills up: export fails' test "$full" != 0
	check '... saying why' grep -qi 'no space\|full' "$dir/full" || cat "$dir/full"
	rm "$small/foreign"
	check 'one that fills up: the next run completes it' tarnctl export "$small"
	check '... right' is "$small"
	umount "$small"
	if truncate -s 64M "$dir/drive" && mkfs.ext4 -qF "$dir/drive" && mount -o loop "$dir/drive" "$small" 2>/dev/null; then
		held_export pull_out
		check 'one that is pulled out: export fails' test $? != 0
		check '... saying why' grep -qi 'not exported: .*\(input/output error\|read-only\|read back\)' "$dir/full" || cat "$dir/full"
		umount -l "$small"
		check '... nothing was written where it had been' eval 'left=$(ls -A "$small") && [[ -z $left ]]'
		cp --sparse=always "$dir/drive" "$dir/again" # what others' mount namespaces hold of the first is not in the way
		mount -o loop "$dir/again" "$small"
		check 'it is back: the next run completes it' tarnctl export "$small"
		check '... right' is "$small"
		umount "$small"
	else
		skip 'a drive that is pulled out' 'no ext4 in a file can be mounted here'
	fi
else
	skip 'too small, full and vanishing drives' 'only root can mount'
fi
small=
done_testing
