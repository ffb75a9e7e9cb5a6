#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What identifies an installation, and what opens the box, is in no log (at its finest level, with the access log on),
# metric, event, status or support archive. Each secret is a word of its own; they are looked for in everything.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"

# The origin is nobody: failures are told with more words than successes.
origin=9
box_start -o log.access=yes -o log.format=json \
	-o sync.installation_id=zyx-installation -o sync.licence_id=zyx-licence \
	-o "parent.servers=http://127.0.0.1:9" -o parent.credentials=box:zyx-parent -o admin.listen=127.0.0.1:$((port + 2))
cat >"$dir/tarn.conf" <<END
[proxy]
admin_socket = $dir/run/proxy.sock
[keeper]
socket = $dir/run/none.sock
[vendors]
dir = $dir/vendors
[cache]
path = $dir/store
[sync]
installation_id = zyx-installation
licence_id = zyx-licence
[parent]
servers = http://127.0.0.1:9
credentials = box:zyx-parent
[demand]
devices = hashed
[dns]
servers = 192.0.2.53
END
ctl() { "$build/bin/tarnctl" -c "$dir/tarn.conf" "$@"; }
api() { curl -s --max-time 10 --unix-socket "$dir/run/proxy.sock" "http://x$1"; }
ask() { curl -s -o /dev/null --max-time 10 "$@"; }

password=$(ctl admin password | grep -Eo '[A-Za-z0-9-]{12,}' | tail -1)
token=$(ctl admin token | grep -Eo '[A-Za-z0-9_-]{20,}' | tail -1)
check 'there is a password and a token' test -n "$password" -a -n "$token"
# What a device says of itself, in each place where it can.
ask "http://127.0.0.1:$port/acme/a?v=1&install=zyx-query"
ask -H 'Cookie: id=zyx-cookie' -H 'User-Agent: zyx-agent' -H 'Authorization: Basic zyx-basic' \
	-H 'X-KL-Installation: zyx-field' "http://127.0.0.1:$port/acme/b?install=zyx-query"
ask -X POST --data zyx-body "http://127.0.0.1:$port/acme/c?install=zyx-query"
ask -x "http://127.0.0.1:$port" "http://127.0.0.9:9/d?install=zyx-query"
ask -x "http://127.0.0.1:$port" "http://elsewhere.invalid/e?token=zyx-foreign"
ask "http://127.0.0.1:$port/acme/f?install=zyx-query HTTP/9.9"
ctl why "http://127.0.0.9/a?install=zyx-query" -H 'Cookie: id=zyx-cookie' >/dev/null
ask -k "https://127.0.0.1:$((port + 2))/api/v1/status" -H "Authorization: Bearer zyx-token"
ask -k "https://127.0.0.1:$((port + 2))/api/v1/session" --json '{"password":"zyx-wrong"}'
ask -k "https://127.0.0.1:$((port + 2))/api/v1/session" -c "$dir/jar" --json "{\"password\":\"$password\",\"role\":\"operate\"}"
cookie=$(awk 'NF == 7 { print $7 }' "$dir/jar" 2>/dev/null)
check 'somebody logged in' test -n "$cookie"
check 'all was asked' wait_until 10 eval '[[ $(wire stat requests) -ge 5 ]]'

api /metrics >"$dir/metrics"
api '/api/v1/events?limit=1000' >"$dir/events"
api /api/v1/status >"$dir/status"
api /api/v1/stat >"$dir/stat"
check 'support makes an archive' ctl support "$dir/support.tar.gz"
check 'that is its owner'"'"'s alone' test "$(stat -c %a "$dir/support.tar.gz")" == 600
mkdir "$dir/support"
check 'of plain files' tar -xzf "$dir/support.tar.gz" -C "$dir/support"
check 'it has what helps' eval 'grep -q requests "$dir/support/stat.json" && grep -q proxy.ready "$dir/support/events.json" &&
	grep -q "the configuration is right" "$dir/support/check.txt" && grep -q "cache.path = $dir/store" "$dir/support/settings.txt" &&
	grep -q MemTotal "$dir/support/machine.txt"'
check 'a file that is there is not written over' eval 'ctl support "$dir/support.tar.gz" 2>"$dir/again"; (($? == 3)) && grep -q "File exists" "$dir/again"'

# clean FILE...: none of the secrets is in them.
clean() {
	local found
	found=$(grep -rnaoE -e 'zyx-[a-z]+' -e "$password" -e "$token" -e "$cookie" -e 'PRIVATE KEY' "$@")
	[[ -z $found ]] || { echo "$found"; return 1; }
}
check 'the log holds no secret' clean "$dir/proxy.log"
check 'its lines are JSON' eval 'grep "^{" "$dir/proxy.log" | jq -e .event >/dev/null && ! tail -n 5 "$dir/proxy.log" | grep -v "^{"'
check 'the access log is in it' grep -q '"event":"request".*"path":"/a?v=1".*"cache":"tarn; fwd' "$dir/proxy.log"
check 'nor do metrics' clean "$dir/metrics"
check 'nor events' clean "$dir/events"
check 'nor status and counters' clean "$dir/status" "$dir/stat"
check 'nor the archive' clean "$dir/support"
check 'whose devices are private: no address' tap_not grep -rq '192\.0\.2\.53' "$dir/support"
sed -i 's/hashed/on/' "$dir/tarn.conf"
ctl support "$dir/open.tar.gz" >/dev/null
mkdir "$dir/open"
tar -xzf "$dir/open.tar.gz" -C "$dir/open"
check 'where they are not, addresses are there' grep -q '192\.0\.2\.53' "$dir/open/settings.txt"
check 'but no secret' clean "$dir/open"

done_testing
