#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# A fleet's channel over HTTPS, and the maintenance window: with nobody's hand the box looks, leaves it alone while others are first,
# takes it when its turn has come, and starts it at three at night, not before.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'an update is made of the same root tree' variants good || done_testing

office
vendor_tls
check "the vendor's port 443 speaks TLS" wait_until 10 in_ns vendor curl -sfk -o /dev/null https://198.51.100.10/
at=https://mirror.vendor.example/files
publish() { # VERSION SHARE [NAME]
	printf 'TARN-CHANNEL 1\nversion=%s\n%s=%s/%s.update\nshare=%s\n' "$1" "$ARCH" "$at" "${3:-good}" "$2" >"$work/files/channel"
}
publish 0.2 0
sed '0,/^version=0.2$/s//version=0.9/' "$work/files/good.update" >"$work/files/unsigned.update"
disk_make "$image" "$work/disk" 2G
vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
check 'it reaches the web server' wait_until 60 online
asked() { grep -c 'GET /files/channel ' "$work/files.log"; }
check 'by default no channel is asked' eval '[[ $(vm "tarnctl channel") == "no channel is set"* && $(asked) == 0 ]]'
follows() {
	vm "cat >/state/etc/vendor-ca.crt <<'END'
$(<"$work/vendor-ca.crt")
END
	printf '[upstream]\nca_file = /etc/tarn/vendor-ca.crt\n[update]\nchannel = $at/channel\ninterval = 1m\n' >>/state/etc/tarn.conf
	tarnctl config check && kill \$(pidof tarnd)"
}
check 'it is told to follow one' follows
says_of_it() { vm 'tarnctl channel --json' | tee /dev/stderr | jq -e "$1"; }
check 'it can read it' wait_until 60 says_of_it '.version == "0.2"' || says_of_it '.version == "0.2"'
check 'others are first' says_of_it '.take == false and .text == "other boxes are first"'
asked_more() { (($(asked) >= seen + 2)); }
seen=$(asked)
check 'it asks by itself, again and again' wait_until 300 asked_more
check '... and takes nothing' eval "[[ \$(vm 'tarnctl slots --json' | jq -c .slots) == '[]' ]]"
publish 0.9 100 unsigned
was_refused() { history_has '.event == "refused" and (.reason | test("sign"))'; }
check 'a channel can lie: what nobody signed is refused' wait_until 300 was_refused || vm 'tarnctl slots'

publish 0.2 100
taken() { history_has '.event == "installed" and .version == "0.2"'; }
mark
check "when its turn has come it takes it" wait_until 300 taken || vm 'tarnctl slots'
slots=$(vm 'tarnctl slots --json')
restart=$(jq .restart_at <<<"$slots")
check '... to start it at three at night' test "$(date -u -d "@$((restart / 1000))" +%H:%M:%S)" = 03:00:00
check '... the next one' test $((restart / 1000 - $(date +%s))) -gt 0 -a $((restart / 1000 - $(date +%s))) -le 86400
check 'it knows that it has it' wait_until 30 says_of_it '.take == false and (.text | contains("waits for the restart"))'
vm "date -u -s @$((restart / 1000 - 25)) >/dev/null"
refuse 'twenty seconds before it does nothing yet' wait_until 5 says end
check 'at three it starts again' becomes 'end restart=asked' 60
check '... the new one' runs 0.2 trial
check '... which becomes good' becomes 'slots good=0.2 error=0'
check 'there is nothing new then' wait_until 60 says_of_it '.take == false and (.text | contains("as new"))'
check 'the office goes through it' wait_until 60 direct dev1 http://198.51.100.10/
vm 'tarnctl slots' | sed 's/^/# /'
vm_kill
done_testing
