#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# The appliance's systems over the API: tarnd asks pid 1's notes and runs tarnctl. pid 1 is this script, in a mount namespace with
# a /run of its own; what needs the boot partition is refused here, and done in tests/image/qemu/update.sh.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/readme.sh
. "$here/../readme.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'
command -v nginx >/dev/null || skip_all 'no nginx, for what an update is fetched from'

PROXY=$BUILD/bin/tarn-proxy
unset FAKEPROXY_VENDORS
space box
config 'mode = off'
sed -i 's/^workers = 2/workers = 1/' "$work/tarn.conf"

# Its pid is tarnd's: each of them executes the next.
# shellcheck disable=SC2016 # the inner shell's
ip netns exec "$(ns box)" unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/tarn && { [ ! -d /state ] || mount -t tmpfs none /state; } &&
	exec "$@"' box "$BUILD/bin/tarnd" --config "$work/tarn.conf" 2>>"$work/tarnd.log" &
tarnd=$!
children+=("$tarnd")
inside() { nsenter -m -n -t "$tarnd" "$@"; }
ctl() { inside "$BUILD/bin/tarnctl" -c "$work/tarn.conf" -s "$work/proxy.sock" -k "$work/keeper.sock" "$@"; }

api() { # METHOD PATH [BODY]: sets $status, and $said to a file
	said=$work/said
	: >"$said"
	status=$(curl -s -o "$said" -w '%{http_code}' --max-time 30 --unix-socket "$work/proxy.sock" -X "$1" "http://x/api/v1/$2" \
		${3:+-H 'Content-Type: application/json' -d "$3"})
}
is() { # METHOD PATH BODY STATUS [EXPRESSION]
	api "$1" "$2" "$3"
	echo "$status"
	cat "$said"
	[[ $status == "$4" ]] || return 1
	[[ -z ${5:-} ]] || jq -e "$5" "$said" >/dev/null
}
look() { is GET appliance '' 200 "$1"; }
up() { is GET status '' 200; }
check 'the box has its API' wait_until 30 up || logs_show
check 'on no appliance there are no systems' is GET appliance '' 404 '.error == "no_appliance"'
check '... and nothing to be done with them' is POST appliance/restart '{}' 404 '.error == "no_appliance"'

# ---- pid 1 begins -----------------------------------------------------------------------------------

pid1() { # JSON
	inside sh -c 'printf %s "$1" >/run/tarn/appliance.json.new && mv /run/tarn/appliance.json.new /run/tarn/appliance.json' sh "$1"
}
pid1 '{"version": "2.0", "factory": "1.0", "on_trial": false, "more": 1, "slots": [
	{"version": "2.0", "state": "good", "tries_left": null, "running": true}, {"version": "2.1", "state": "trying", "tries_left": 2, "running": false}]}'
check 'then there are' look '.version == "2.0" and .factory == "1.0" and .slots[1].tries_left == 2 and .history == [] and .restart_at == null'
check 'no update was begun' look '.update == {"state": "idle", "done": 0, "total": 0, "version": "", "text": ""}'
described() {
	api GET appliance ''
	jq -s 'reduce .[] as $part ({}; . * $part)' "$here"/../../proxy/admin/openapi/*.json >"$work/doc"
	jq -nr -f "$here/../wire/openapi.jq" --slurpfile doc "$work/doc" --slurpfile value "$said" --arg path /api/v1/appliance | tee "$work/faults"
	[[ ${PIPESTATUS[0]} == 0 && ! -s $work/faults ]]
}
check 'the answer is as described' described
check 'tarnctl slots has the same table' eval "ctl slots --json | jq -S . | diff - <(jq -S . '$work/said')"

inside sh -c 'echo "[{\"version\": \"2.2\", \"state\": \"bad\", \"tries_left\": 0, \"running\": false}]" >/run/tarn/slots.json'
check 'what has changed since pid 1 looked is told' look '.slots == [{"version": "2.2", "state": "bad", "tries_left": 0, "running": false}]'
inside rm /run/tarn/slots.json

# ---- restart ----------------------------------------------------------------------------------------

check 'a restart is planned' is POST appliance/restart '{"restart": "03:00"}' 204
check '... for the next such time' look '(.restart_at / 1000 - now) as $in | .restart_at % 86400000 == 10800000 and $in > -1 and $in < 86401'
check '... and taken back' is POST appliance/restart '{"restart": "no"}' 204
check '... so that none is' look '.restart_at == null'
check 'a time that is none is refused' is POST appliance/restart '{"restart": "24:00"}' 422 '.error == "bad_restart"'
check 'a number is none' is POST appliance/restart '{"restart": 3}' 422 '.error == "bad_value"'

# ---- update -----------------------------------------------------------------------------------------

mkdir "$work/nginx" "$work/files"
head -c 100000 /dev/zero >"$work/files/no.update"
echo "daemon off; master_process off; pid $work/nginx.pid; error_log $work/nginx.log; events {}
	http { access_log off; server { listen 127.0.0.1:8080; root $work/files; } }" >"$work/nginx.conf"
ip netns exec "$(ns box)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)
check 'there is something to fetch' wait_until 10 in_ns box curl -sf -o /dev/null http://127.0.0.1:8080/no.update
update() { is POST appliance/update "$@"; }
check 'a file of this machine is no update' update '{"url": "/etc/shadow"}' 422 '.error == "bad_url"'
check 'no option of tarnctl is' update '{"url": "--force"}' 422 '.error == "bad_url"'
check 'no line break is part of a URL' update '{"url": "http://127.0.0.1:8080/a\nb"}' 422 '.error == "bad_value"'
check 'nothing is no URL' update '{}' 422 '.error == "bad_value"'
check 'a wrong time is refused before it begins' update '{"url": "http://127.0.0.1:8080/no.update", "restart": "soon"}' 422 '.error == "bad_restart"'
check 'nothing has begun' look '.update.state == "idle"'
check 'an update begins' update '{"url": "http://127.0.0.1:8080/no.update"}' 204
check '... and is refused for what it is' wait_until 30 look '.update.state == "refused" and .update.text == "the file is not an update of Tarn"'
check 'one that is not there begins' update '{"url": "http://127.0.0.1:8080/none", "restart": "now"}' 204
check '... and says why it ends' wait_until 30 look '.update.state == "refused" and (.update.text | endswith("the server says 404"))'
check 'what is refused restarts nothing' look '.restart_at == null'
check 'tarnctl slots says it to people' eval "ctl slots | grep -q '^update.*the server says 404'"

# ---- as the README says -----------------------------------------------------------------------------

# shellcheck disable=SC2016 # the README's $x
readme_said=$work/said
example() { # STATUS WORDS [SED]
	local got
	got=$(readme_example "$work/proxy.sock" "$2" "${3:-}" 2>&1)
	echo "$got"
	[[ $got == "$1" ]]
}
check 'the README looks at the systems' example 200 '$x/appliance'
check '... plans a restart' example 204 '$x/appliance/restart'
check '... begins an update' example 204 '$x/appliance/update' 's|https://[^"]*|http://127.0.0.1:8080/no.update|'
check '... which is refused for what it is' wait_until 30 look '.update.state == "refused" and .update.text == "the file is not an update of Tarn"'
check '... fetches a file' example 200 '$x/download' 's|http://mirror[^"]*|http://127.0.0.1:8080/no.update|'
check '... which is a line, and the file' cmp <(tail -n +2 "$readme_said") "$work/files/no.update"
check '... goes back, were there a boot partition' example 409 '$x/appliance/rollback'
if [[ ! -d /state ]]; then
	check '... and resets, were there a state partition' example 409 '$x/appliance/reset'
fi
check 'a restart is taken back' is POST appliance/restart '{"restart": "no"}' 204

# ---- a file of the admin's ----------------------------------------------------------------------------

# The README's block, on a file.
upload_block() { # FILE: as the README does it
	readme_section | sed -n '/^file=tarn-/,/^tarn -H .*"restart/p' | sed "s|^file=.*|file=$1|"
}
upload_run() { # FILE
	upload_block "$1" >"$work/upload.sh"
	SOCKET=$work/proxy.sock bash -c 'tarn() { curl -sS --max-time 30 --unix-socket "$SOCKET" "$@"; }
		x=http://x/api/v1 json=Content-Type:application/json; . "$0"' "$work/upload.sh"
}
uploaded=$work/cache/update.uploaded
{ printf 'TARN-UPDATE 1\n'; head -c 200000 /dev/urandom; } >"$work/files/big.update"
# begin WHAT BYTES: sets `up`.
begin() {
	check "$1" is POST appliance/upload "{\"bytes\": $2}" 200
	api POST appliance/upload "{\"bytes\": $2}"
	up=$(jq .upload "$said")
}
piece() { is POST appliance/upload/piece "{\"upload\": $1, \"at\": $2, \"bytes\": \"$3\"}" "$4" "${5:-}"; }
head64=$(head -c 45000 "$work/files/big.update" | base64 -w 0)
begin 'an upload begins' 200014
check '... its first piece is taken' piece "$up" 0 "$head64" 200 '.at == 45000'
check '... and again, had the answer been lost' piece "$up" 0 "$head64" 200 '.at == 45000'
check '... and stands in the cache, for tarn-proxy alone' test "$(stat -c '%U %a %s' "$uploaded")" = 'nobody 600 45000'
check 'a hole is none' piece "$up" 90000 "$head64" 409 '.error == "not_next" and (.text | endswith("45000"))'
check 'what is no base64 is refused' piece "$up" 45000 '!!!!' 422 '.error == "bad_piece"'
check '... and a piece that is too long' piece "$up" 45000 "$(head -c 60004 /dev/zero | tr '\0' A)" 422 '.error == "bad_piece"'
check '... and one of nothing' piece "$up" 45000 '' 422 '.error == "bad_piece"'
check 'another number is not this upload' piece 1 45000 "$head64" 404 '.error == "unknown_upload"'
check 'what is not whole is not installed' update "{\"upload\": $up}" 409 '.error == "not_whole"'
check '... nor what never was' update '{"upload": 0}' 409 '.error == "not_whole"'
first=$up
begin 'another takes its place' 200014
check '... of which the first knows nothing' piece "$first" 45000 "$head64" 404
check 'what begins like no update is given up at once' piece "$up" 0 "$(echo TARN-UPGRADE | base64)" 422 '.error == "not_an_update"'
check '... and nothing is left of it' test ! -e "$uploaded"
begin 'more than was announced is refused' 10000
check '...' piece "$up" 0 "$head64" 422 '.error == "too_much"'
check 'one is given up' is DELETE "appliance/upload?upload=$up" '' 204
check '... with its file' test ! -e "$uploaded"
check '... and no number is refused' is DELETE 'appliance/upload?upload=x' '' 400
for size in 0 4095 268435457 -1 '"x"'; do check "no update has $size bytes" is POST appliance/upload "{\"bytes\": $size}" 422 '.error == "bad_size"'; done
ln -s /etc/shadow "$uploaded"
begin 'what is in the way is no way elsewhere' 200014
check '... it was taken away' test ! -L "$uploaded"
check 'as the README does it' upload_run "$work/files/big.update"
check '... it is judged by tarnctl, and refused' wait_until 30 look '.update.state == "refused" and (.update.text | startswith("the boot partition"))'
check '... and gone' wait_until 5 test ! -e "$uploaded"
inside mkfifo "$uploaded"
fifo() { ctl update "$uploaded" 2>&1 | tee /dev/stderr | grep -q 'Invalid argument'; }
check 'a pipe in its place holds nobody up' timeout 10 bash -c "$(declare -f fifo ctl inside); tarnd=$tarnd BUILD=$BUILD work=$work uploaded=$uploaded fifo"
rm -f "$uploaded"

# ---- one at a time ----------------------------------------------------------------------------------

# Another tarnctl works on it, as far as anybody can see.
mkfifo "$work/hold"
# shellcheck disable=SC2016 # the inner shell's
inside flock /run/tarn/update.lock sh -c 'echo "{\"state\": \"writing\", \"done\": 5, \"total\": 9, \"version\": \"2.2\", \"text\": \"\"}" \
	>/run/tarn/update.json && read -r _ <"$1"' sh "$work/hold" &
children+=($!)
check 'an update by another is seen' wait_until 10 look '.update.state == "writing" and .update.done == 5'
check '... and a second one is not begun' update '{"url": "http://127.0.0.1:8080/no.update"}' 409 '.error == "busy"'
check '... nor is the system set aside meanwhile' is POST appliance/rollback '{}' 409 '.error == "busy"'
echo >"$work/hold"
check 'one that goes without a word is refused' wait_until 10 look '.update.state == "refused" and .update.text == "it was cut off before its end"'

# ---- the way back -----------------------------------------------------------------------------------

check 'without a boot partition there is no way back' is POST appliance/rollback '{}' 409 '.error == "refused" and (.text | startswith("the boot partition"))'
check '... and no restart' look '.restart_at == null'
pid1 '{"version": "1.0", "factory": "1.0", "on_trial": false, "slots": []}'
check 'none leads further than the factory' is POST appliance/rollback '{}' 409 '.error == "refused" and (.text | contains("none before it"))'
check 'a reset is meant, or it is none' is POST appliance/reset '{"confirm": "yes"}' 422 '.error == "not_confirmed"'
check '... by tarnctl, too' eval "ctl factory-reset; ((\$? == 64))"
if [[ -d /state ]]; then
	skip 'a reset without a state partition' 'this machine has a /state'
else
	check 'a reset that cannot be noted is none' is POST appliance/reset '{"confirm": "factory-reset"}' 409 '(.text | startswith("the state partition"))'
	check '... and restarts nothing' look '.restart_at == null'
fi
check 'tarnctl goes' inside mount --bind /dev/null "$(realpath "$BUILD/bin/tarnctl")"
check '... and an update says so, and does not begin' update '{"url": "http://127.0.0.1:8080/no.update"}' 503 '.error == "failed"'
check 'tarnd runs, and has left nobody behind' eval "kill -0 '$tarnd' && [[ \$(ps -o stat= --ppid '$tarnd' | grep -c Z) == 0 ]]"
done_testing
