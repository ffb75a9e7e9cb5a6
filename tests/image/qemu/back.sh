#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# The ways back that people ask for: to an older system (by force alone), to the one before, and, from the page, to the first day.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing
check 'updates are made of the same root tree' variants good hangs || done_testing

office
disk_make "$image" "$work/disk" 2G
check 'one is on the disk, and good' slot_put hangs 0.5 good
vm_start "$work/disk"
check 'it runs' runs 0.5 good
check 'it is ready' becomes 'ready .*version=0.5'
ready_say
id=$(vm 'cat /state/id')
check 'it reaches the web server' wait_until 60 online
check 'an older one is refused' refused good too-old
mark
check '... but not when it is forced' fetch_install good --force --restart now
check '... it runs' runs 0.2 trial
check '... and is good' becomes 'slots good=0.2 error=0'
mark
vm 'tarnctl rollback' | sed 's/^/# /'
check "rolled back, the factory's system runs" runs 0.1 factory
check '... and is ready' becomes 'ready .*version=0.1'
check 'the history says so' history_has '.event == "rolled-back" and .version == "0.2"'
check 'it is the same box' test "$(vm 'cat /state/id')" = "$id"

# ---- from the page ----------------------------------------------------------------------------------------------------

since=0
check 'the first password was shown' becomes 'password role=operate value='
password=$(word password value)
asked() { # JSON: the API's status
	local said csrf
	said=$(in_ns dev1 curl -sk --max-time 30 -c "$work/cookies" -H 'Content-Type: application/json' \
		-d "{\"password\":\"$password\"}" "https://$box/api/v1/session")
	csrf=$(jq -r .csrf <<<"$said")
	in_ns dev1 curl -sk --max-time 30 -o /dev/null -w '%{http_code}\n' -b "$work/cookies" -H "X-Tarn-CSRF: $csrf" \
		-H 'Content-Type: application/json' -d "$1" "https://$box/api/v1/appliance/reset"
}
answers() { [[ $(asked "$1" | tee /dev/stderr) == "$2" ]]; }
has_address() { box=$(box_address) && [[ -n $box ]]; }
wait_until 60 has_address
check 'the page asks for a factory reset; not confirmed it does nothing' answers '{}' 422
mark
check '... confirmed it begins' answers '{"confirm":"factory-reset"}' 204
check '... and is done' becomes 'reset by=.* result=done'
check '... the box is ready' becomes ready
check '... by the same system' test "$(word 'slots running' running)" = 0.1
other=$(vm 'cat /state/id')
check '... and is another' test ${#other} = 32 -a "$other" != "$id"
check '... with another password' becomes 'password role=operate value='
check '... that of before opens nothing' wait_until 60 page_refuses "$password"
check '... this one does' page_opens "$(word password value)"
vm 'tarnctl slots' | sed 's/^/# /'
vm_kill
done_testing
