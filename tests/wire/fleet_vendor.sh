# shellcheck shell=bash
# shellcheck disable=SC2154 # tests/wire/box.sh sets it
# SPDX-License-Identifier: Apache-2.0
#
# A vendor with an index, for a box that fetches ahead when it is told to; source it after box.sh.
#
#	tarn-proxy :PORT --> nginx: 127.0.0.9:ORIGIN, DIR/www/p: index.lst and the objects that it names
export WIRE_PROFILE=fleet FLEET_TTL=1h
mkdir -p "$dir/www/p"

# age FILE...: a date that none had before, for a new version: nginx makes an ETag of date and size alone.
aged=0
age() { touch -d "2026-01-01 UTC + $((aged += 1)) seconds" "$@"; }

# index_of OBJECT...: writes the index that names these as they are now; at once.
index_of() {
	local object
	age "${@/#/$dir/www/p/}"
	for object; do
		printf '%s %s /p/%s %s\n' "$(sha256sum "$dir/www/p/$object" | cut -d ' ' -f 1)" \
			"$(stat -c %s "$dir/www/p/$object")" "$object" "$object"
	done >"$dir/index.new"
	age "$dir/index.new"
	mv "$dir/index.new" "$dir/www/p/index.lst"
}

# vendor_start: with what comes from stdin in its http block; it answers then.
vendor_start() {
	nginx_start
	wait_until 10 curl -s -o /dev/null "http://127.0.0.9:$origin/begin" || { cat "$dir/nginx.log"; exit 1; }
}

api() { curl -sS --max-time 30 --unix-socket "$dir/run/proxy.sock" "http://x/api/v1/$1" "${@:2}"; }

# fleet_box_start [-o SECTION.KEY=VALUE]...: it serves then.
fleet_box_start() { box_start -o log.level=info -o sync.interval=1d -o sync.jitter=0s -o sync.retry=1h "$@"; }

runs() { api sync | jq '.history | length'; }
is_over() { api sync | jq -e "(.history | length) > $1 and .profiles[0].state != \"running\"" >/dev/null; }
# sync_now: a run, to its end; last FIELD: what is told of it.
sync_now() {
	local before
	before=$(runs)
	api sync -H 'Content-Type: application/json' -d '{"action": "now"}' >/dev/null
	wait_until 10 is_over "$before"
}
last() { api sync | jq -r ".history[-1].$1"; }
# published: the number of the generation that is served.
published() { api sync | jq -r .profiles[0].generation; }
