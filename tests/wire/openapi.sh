#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The description of the admin API (proxy/admin/openapi: head.json and a fragment a room) against the server: the routes are
# those that the tables of proxy/admin/api_*.c have, with their roles, and what the server answers is as described.
# The whole document is left in build/openapi.json.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
# shellcheck source=tests/readme.sh
. "$here/../readme.sh"
admin=$here/../../proxy/admin

# ---- the document -------------------------------------------------------------------------------

doc=$build/openapi.json
check 'the fragments make one document' eval "jq -s 'reduce .[] as \$part ({}; . * \$part)' '$admin'/openapi/head.json \
	\$(ls '$admin'/openapi/*.json | grep -v /head.json) >'$dir/doc' && mv '$dir/doc' '$doc'"
refs() { # every $ref leads somewhere
	jq -r '[.. | objects | ."$ref"? // empty] | unique[] | ltrimstr("#/") | split("/") | @json' "$doc" | while read -r path; do
		jq -e "getpath($path) != null" "$doc" >/dev/null || echo "$path"
	done | tee "$dir/refs"
	[[ ! -s $dir/refs ]]
}
check 'its references lead somewhere' refs

# ---- its routes ---------------------------------------------------------------------------------

cat "$admin"/api_*.c | tr -d '\n\t' | grep -o '{ ADMIN_[A-Z]*, *"[^"]*", *ADMIN_[A-Z]*' |
	sed -E 's/\{ ADMIN_([A-Z]*), *"([^"]*)", *ADMIN_([A-Z]*)/\1 \2 \L\3/' | sort >"$dir/routes"
jq -r '.paths | to_entries[] | .key as $p | .value | to_entries[] | "\(.key | ascii_upcase) \($p) \(.value."x-role")"' "$doc" |
	sort >"$dir/described"
check 'there are routes' test "$(wc -l <"$dir/routes")" -ge 10
unreal() {
	comm -13 "$dir/routes" "$dir/described" | tee "$dir/unreal"
	[[ ! -s $dir/unreal ]]
}
check 'what is described is there, with this role' unreal
undescribed() {
	comm -23 "$dir/routes" "$dir/described" | tee "$dir/undescribed"
	[[ ! -s $dir/undescribed ]]
}
check 'what is there is described' undescribed

unshown() {
	comm -23 <(cut -d ' ' -f 1,2 "$dir/described") <(readme_verbs) | tee "$dir/unshown"
	[[ ! -s $dir/unshown ]]
}
check 'the README has an example of each' unshown

# ---- what the server answers --------------------------------------------------------------------

# What tarnd would have made.
mkdir "$dir/state"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Authority -days 2 -keyout /dev/null \
	-addext 'nameConstraints=critical,permitted;DNS:a.example' -out "$dir/state/ca.crt" 2>/dev/null
box_start -o keeper.state="$dir/state"
curl -sS -o /dev/null --max-time 10 "http://127.0.0.1:$port/acme/nothing"
declare -A queries=([/api/v1/why]='?url=http://127.0.0.9/a')
ask() { curl -sS --max-time 5 --unix-socket "$dir/run/proxy.sock" "http://x$1"; }
answers() { # PATH
	ask "$1${queries[$1]:-}" >"$dir/answer" &&
		jq -nr -f "$here/openapi.jq" --slurpfile doc "$doc" --slurpfile value "$dir/answer" --arg path "$1" >"$dir/faults"
	local rc=$?
	cat "$dir/faults"
	[[ $rc == 0 && ! -s $dir/faults ]]
}
# x-where: on another machine than this alone (tests/netns/appliance.sh asks there).
described() {
	jq -r '.paths | to_entries[] | select(.value.get.responses."200".content."application/json" and (.value.get."x-where" | not) and
		(.key | contains("{") | not)) | .key' "$doc"
}
wait_until 10 eval "ask /api/v1/history | jq -e .series" || exit 1 # it is there a moment after the socket
for path in $(described); do
	check "GET $path answers as described" answers "$path"
done
check 'on no appliance there are no systems' eval "ask /api/v1/appliance | jq -e '.error == \"no_appliance\"'"
check 'an answer that is not as described is found' eval "echo '{\"ring\": 1, \"more\": 2}' >'$dir/answer' && jq -nr -f '$here/openapi.jq' \
	--slurpfile doc '$doc' --slurpfile value '$dir/answer' --arg path /api/v1/history | sort | tr '\n' ' ' | grep -q 'end: missing.*more: not described.*ring: integer, not'"
check 'an error is a word and a sentence' eval "ask /api/v1/nothing | jq -e '(.error | type) == \"string\" and (.text | type) == \"string\"'"
done_testing
