#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a device asks for of the published generation joins it, verified, without another number; what a parent has that is
# not what the index names is asked of the vendor.
#
#	curl --> tarn-proxy :PORT [--> nginx, a cache that asks nobody for ten minutes: 127.0.0.9:PARENT] --> nginx: 127.0.0.9:ORIGIN
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
# shellcheck source=tests/wire/fleet_vendor.sh
. "$here/fleet_vendor.sh"
parent=$((port + 2))

# generation N: one and two are as the index says, bad is not.
generation() {
	local name
	for name in one two bad; do seq "$1" 20000 >"$dir/www/p/$name"; done
	echo "$1" >>"$dir/www/p/two"
	index_of one two bad
	echo "no $1" >"$dir/www/p/bad"
}
generation 1
vendor_start <<END
	log_format brief '\$request_uri \$status';
	access_log $dir/access.log brief;
	proxy_cache_path $dir/cache keys_zone=c:1m;
	server { listen 127.0.0.9:$origin; root $dir/www; }
	server {
		listen 127.0.0.9:$parent;
		access_log off;
		location / { proxy_pass http://127.0.0.9:$origin; proxy_cache c; proxy_cache_valid 200 10m; }
		location /p/index.lst { proxy_pass http://127.0.0.9:$origin; }
	}
END

get() { curl -s --max-time 20 -o "$dir/body" -w '%{http_code}' "http://127.0.0.1:$port/acme/p/$1"; }
is_right() { cmp "$dir/body" "$dir/www/p/$1"; }
# The members of what is published, as an export has them.
members() {
	rm -rf "$dir/out"
	"$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k "$dir/none.sock" export "$dir/out" >/dev/null 2>"$dir/export.err"
	find "$dir/out/acme" -type f -printf '%f\n' 2>/dev/null | sort | tr '\n' ' '
}
members_are() { [[ $(members) == "$1 " ]] || { members; cat "$dir/export.err"; false; }; }
asked() { grep -c "^/p/$1" "$dir/access.log"; }

# ---- joining -----------------------------------------------------------------------------------------

fleet_box_start
check 'a device asks for the index' test "$(get index.lst)" == 200
is_noted() { api devices | jq -e '.devices | length > 0' >/dev/null; }
check '... which is noted' wait_until 10 is_noted
sync_now
number=$(published)
check 'it alone is published' members_are index.lst
check 'then for an object' test "$(get one)" == 200
check '... and for one that is not what the index names' test "$(get bad)" == 200
check 'the first joins what is published, by itself' wait_until 10 members_are 'index.lst one'
check '... without another number' test "$(published)" == "$number"
check '... and without being fetched again' test "$(asked one)" == 1
check 'the second does not' members_are 'index.lst one'
stop box
fleet_box_start
check 'it is so after a restart' members_are 'index.lst one'

# ---- a parent that has old objects -------------------------------------------------------------------

stop box
rm -rf "$dir/store"
fleet_box_start -o "parent.servers=http://127.0.0.9:$parent" -o parent.mode=reverse
check 'through a parent' test "$(get index.lst)-$(get one)" == 200-200
check '... which is noted' wait_until 10 is_noted
sync_now
check 'all of it is published' wait_until 10 members_are 'index.lst one'
generation 2
sync_now
check 'what the parent has is not what the new index names: the vendor is asked' members_are 'index.lst one'
check '... and the new generation is published' test "$(api sync | jq -r '.history[-1].result')" == 'done'
check 'the device gets the new one' test "$(get one)" == 200
check '... byte for byte' is_right one
done_testing
