#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A removable drive by its label: what the handler (firmware/systemd/drive) does, and leaves on the drive and on the console.
# The drive is a folder here: that it is mounted needs a block device.
#
# timeout: 240
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
# shellcheck source=tests/wire/fleet_vendor.sh
. "$here/fleet_vendor.sh"
drive=$here/../../firmware/systemd/drive
mkdir -p "$dir/state" "$dir/stick"
seq 30000 >"$dir/www/p/one"
index_of one
vendor_start <<END
	server { listen 127.0.0.9:$origin; root $dir/www; }
END

get() { curl -s --max-time 20 -o "$dir/body" -w '%{http_code}' "http://127.0.0.1:$port/acme/p/$1"; }
printf '[keeper]\nstate = %s\n[vendors]\ndir = %s\n' "$dir/state" "$dir/vendors" >"$dir/tarn.conf"
export TARNCTL="$build/bin/tarnctl -c $dir/tarn.conf -s $dir/run/proxy.sock -k $dir/none.sock" TARN_CONSOLE=$dir/console
export TARN_DRIVE_NOTE=$dir/note
stick=$dir/stick
says() { tr -d '\r' <"$stick/TARN-STATUS.txt" | grep -- "$1" || { cat "$stick/TARN-STATUS.txt" "$dir/console"; false; }; }
console() { tail -n 1 "$dir/console" | tr -d '\r' | grep -- "$1" || { cat "$dir/console"; false; }; }

fleet_box_start
is_noted() { api devices | jq -e '.devices[0].requests > 1' >/dev/null; }
is_published() { api sync | jq -e '.profiles[0].generation > 0 and .profiles[0].state == "idle"' >/dev/null; }
check 'a device gets what there is' test "$(get index.lst)-$(get one)" == 200-200
check '... which is noted' wait_until 10 is_noted
api sync -H 'Content-Type: application/json' -d '{"action": "now"}' >/dev/null
check '... and published' wait_until 10 is_published

check 'TARN-EXPORT is exported to' "$drive" TARN-EXPORT "$stick"
check '... in the vendor'"'"'s own folders' cmp "$stick/acme/p/one" "$dir/www/p/one"
check '... with a signed manifest' test -s "$stick/TARN/acme.manifest"
check 'the drive says so' says '^export: done. The drive may be taken out'
check '... and what was written' says '^acme: generation .* 2 files'
check 'the console says so' console '^TARN drive label=TARN-EXPORT state=done text="acme: generation'
check '... for the status screen, too' grep -q '^TARN-EXPORT: done: acme: generation' "$dir/note"
event() { api 'events?limit=1000' | jq -r --arg what "$1" '[.events[] | select(.what == $what)] | max_by(.id) | .text'; }
shows() { event "$1" | tee /dev/stderr | grep -q "$2"; }
check '... and the events of the box' shows export.done '^vendor=acme where="drive TARN-EXPORT" number=[1-9][0-9]* objects=2 '
check 'TARN-IMPORT is imported' "$drive" TARN-IMPORT "$stick"
check '... the events say so' shows import.done '^vendor=acme where="drive TARN-IMPORT" .*objects=2 .*read=0'
check 'the drive says so' says '^import: done'

# Another box: nothing stored, another key.
stop box
rm -rf "$dir/store"
mv "$dir/state" "$dir/state.first"
mkdir "$dir/state"
fleet_box_start
refuse 'a box that does not trust the first one imports nothing' "$drive" TARN-IMPORT "$stick"
check 'the drive says why' says 'not signed by a box that is trusted here'
check 'the console says so' console 'label=TARN-IMPORT state=failed'
rm -rf "$dir/state"
mv "$dir/state.first" "$dir/state"
sed -i '1000s/.*/x/' "$stick/acme/p/one"
refuse 'of a drive that was tampered with nothing is imported' "$drive" TARN-IMPORT "$stick"
check '... and it says what' says '^acme: not imported, nothing has changed: .*one'
check '... the events, too' shows import.failed '^vendor=acme where="drive TARN-IMPORT" why=".*one'
cp "$dir/www/p/one" "$stick/acme/p/one"
check 'a good one is' "$drive" TARN-IMPORT "$stick"
stop nginx
check 'a device gets it from there' test "$(get one)" == 200
check '... byte for byte' cmp "$dir/body" "$dir/www/p/one"
ln -sf "$dir/victim" "$stick/TARN-STATUS.txt.new"
ln -sf "$dir/victim" "$stick/TARN-STATUS.txt"
check 'a link on the drive leads nowhere' "$drive" TARN-IMPORT "$stick"
check '... but is replaced' test ! -e "$dir/victim" -a ! -L "$stick/TARN-STATUS.txt"
refuse 'another label is none of ours' "$drive" PHOTOS "$stick"
refuse 'one that pid 1 could not mount' "$drive" TARN-IMPORT "$stick" 'no "file system"'
check '... says why' console 'label=TARN-IMPORT state=failed text="no .*file system'
refuse 'a drive that is not there' "$drive" TARN-IMPORT:none0

# The appliance has busybox's shell and no tool but busybox's.
if command -v busybox >/dev/null; then
	mkdir "$dir/applets"
	for applet in $(<"$here/../../image/root/applets"); do ln -s "$(command -v busybox)" "$dir/applets/$applet"; done
	in_the_appliance() { PATH=$dir/applets "$dir/applets/sh" "$drive" "$@" 2>"$dir/errors" && ! grep . "$dir/errors"; }
	check "by busybox's shell and tools alone" in_the_appliance TARN-EXPORT "$stick"
	check '... the drive says so' says '^export: done. The drive may be taken out'
	check '... line by line, with the carriage returns of who reads it' grep -q $'^acme: generation .*2 files.*\r$' "$stick/TARN-STATUS.txt"
	check '... the console says so' console '^TARN drive label=TARN-EXPORT state=done text="acme: generation'
	refuse '... a drive that is not there' in_the_appliance TARN-EXPORT "$dir/none"
else
	skip "the appliance's shell" 'busybox is not installed'
fi

skip 'a drive is mounted and let go' 'needs a block device: tests/image/qemu/drive.sh'
done_testing
