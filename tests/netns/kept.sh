#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# The page's passwords are kept twice: in the store, and by tarnd, root's alone. The loss of either changes nothing; a change
# reaches both; what a version before this one kept in the store is taken over; what is cut short or made up opens nothing.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/probed.sh
. "$here/probed.sh"

printf '[admin]\nlisten = 10.7.0.5:8443\nallow = 10.7.0.0/24\n' >>"$work/tarn.conf"
kept=$(awk '$1 == "state" { print $3 }' "$work/tarn.conf")/access
store=$(awk '$1 == "path" { print $3 }' "$work/tarn.conf")
login() { # STATUS PASSWORD [ROLE]: of dev1
	[[ $(in_ns dev1 curl -sk --max-time 10 -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
		-d "{\"password\": \"$2\", \"role\": \"${3:-operate}\"}" https://10.7.0.5:8443/api/v1/session) == "$1" ]]
}
looks() { # TOKEN
	[[ $(in_ns dev1 curl -sk --max-time 10 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" https://10.7.0.5:8443/metrics) == 200 ]]
}
begun() { wait_until 20 eval 'ctl stat >/dev/null && in_ns dev1 curl -skf --compressed -o /dev/null https://10.7.0.5:8443/'; }
serial() { sed -n 's/^tarn access 1 //p' "$kept"; }
holds() { [[ $(serial) == "$1" ]]; }

tarnd_start
check 'it runs' begun || logs_show
password=$(ctl admin password --first)
view=$(ctl admin password --role view)
token=$(ctl admin token)
check 'tarnd keeps what was set' wait_until 10 holds 3
check '... for root alone' test "$(command stat -c '%a %u' "$kept")" = '600 0'
refuse '... no password in it' grep -qF -e "$password" -e "$view" -e "$token" "$kept"
check '... nothing is left beside it' test "$(find "$(dirname "$kept")" -name 'access*' | wc -l)" = 1
check 'who has them gets in' eval 'login 200 "$password" && login 200 "$view" view && looks "$token"'

tarnd_stop
rm -rf "$store"
tarnd_start
check 'the store is lost: it runs' begun
check '... who has the password gets in' login 200 "$password"
check '... who has that of the other role, too' login 200 "$view" view
check '... and who has the token' looks "$token"
ctl admin password --first >"$work/answer"
check '... no first one is made' test $? = 3

second=$(ctl admin password)
check 'another one is set' wait_until 10 holds 4
tarnd_stop
rm "$kept"
tarnd_start
check 'what tarnd kept is lost: it runs' begun
check '... the new one opens' login 200 "$second"
check '... the old one does not' login 401 "$password"
check '... tarnd has it again' wait_until 10 holds 4

# A system before this one: it knows the store's rows, and no serial number.
tarnd_stop
cp "$kept" "$work/older"
tarnd_start
check 'it runs' begun
third=$(ctl admin password)
check 'a third one is set' wait_until 10 holds 5
tarnd_stop
cp "$work/older" "$kept"
tarnd_start
check 'what tarnd kept is older: it runs' begun
check '... the store counts' login 200 "$third"
check '... the one before does not open' login 401 "$second"
check '... tarnd has it again' wait_until 10 holds 5

for damage in 'cut short' 'made up' 'a folder'; do
	tarnd_stop
	case $damage in
	cut*) truncate -s -20 "$kept" ;;
	made*) sed -i 's/^operate .*/operate  x y/' "$kept" ;;
	*) rm "$kept"; mkdir "$kept" ;;
	esac
	tarnd_start
	check "what tarnd kept is $damage: it runs" begun
	check '... the store counts' login 200 "$third"
	[[ -d $kept ]] || check '... tarnd has it again' wait_until 10 holds 5
done
# It can't be kept: the folder is in the way.
fourth=$(ctl admin password)
check 'one that tarnd can not keep opens all the same' login 200 "$fourth"
check '... which the log says' wait_until 10 grep -q 'access.kept.*error=E' "$work/tarnd.log"
rmdir "$kept"
tarnd_stop
tarnd_start
check '... and is kept once there is room' wait_until 20 holds 6
check '... it opens' login 200 "$fourth"

# By its hash.
printf 'a password of mine\n' | ctl admin hash >"$work/hash"
check 'a hash is taken' ctl admin password --hash "$work/hash"
check '... that password opens' login 200 'a password of mine'
sed 's/.$//' "$work/hash" >"$work/bad"
refuse '... one that is none is not' ctl admin password --hash "$work/bad"
check '... that password still opens' login 200 'a password of mine'
refused_afar() {
	[[ $(in_ns dev1 curl -sk --max-time 10 -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' \
		-H "Origin: https://10.7.0.5:8443" -d "{\"hash\": \"$(<"$work/hash")\"}" https://10.7.0.5:8443/api/v1/password) == 40[13] ]]
}
check '... from afar none is' refused_afar

# What the data plane says too often is not written each time.
before=$(grep -c 'access.kept' "$work/tarnd.log")
for _ in {1..20}; do ctl admin token >/dev/null; done
check 'twenty changes at once are few writes' test $(($(grep -c 'access.kept' "$work/tarnd.log") - before)) -le 4
last() { [[ $(serial) == 27 ]]; }
check '... the last of them is kept' wait_until 15 last
tarnd_stop
done_testing
