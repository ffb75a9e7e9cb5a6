# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # who sources this reads what it sets, and has set `here` and `name`
# SPDX-License-Identifier: Apache-2.0
#
# A box and a vendor with an index, for a test; source it, with `here` and `name` set.
#
#	tarn-proxy :PORT --> nginx: 127.0.0.9:ORIGIN, DIR/www/p: index.lst and the objects that it names
#
# Sets dir, port, origin, build and wire, and takes all of it away at the end: also the processes `proxy` and `nginx`.
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
# shellcheck source=tests/wire/nginx.sh
. "$here/nginx.sh"
build=${BUILD:-$here/../../build}
wire=$here/../tools/wire
export BUILD=$build WIRE_PROFILE=fleet FLEET_TTL=1h
PATH=$PATH:/usr/sbin

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-$name.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 12000)) origin=$((port + 1))

finish() {
	[[ -z ${proxy:-} ]] || kill "$proxy" 2>/dev/null
	[[ -z ${nginx:-} ]] || kill "$nginx" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
chmod 755 "$dir"
mkdir -p "$dir/www/p"

# index_of OBJECT...: writes the index that names these as they are now; at once.
index_of() {
	local object
	for object; do
		printf '%s %s /p/%s %s\n' "$(sha256sum "$dir/www/p/$object" | cut -d ' ' -f 1)" \
			"$(stat -c %s "$dir/www/p/$object")" "$object" "$object"
	done >"$dir/index.new"
	mv "$dir/index.new" "$dir/www/p/index.lst"
}

# vendor_start: with what comes from stdin in its http block; it answers then.
vendor_start() {
	nginx_start "$dir"
	wait_until 10 curl -s -o /dev/null "http://127.0.0.9:$origin/begin" || { cat "$dir/nginx.log"; exit 1; }
}

api() { curl -sS --max-time 30 --unix-socket "$dir/run/proxy.sock" "http://x/api/v1/$1" "${@:2}"; }
