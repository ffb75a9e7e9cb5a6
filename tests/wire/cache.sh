#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tarnctl cache ls, show, rm, verify and stat, and the API below them. Then the store's file is damaged behind its back:
# verifying finds it, so does the device's next request, nobody gets a wrong byte, and what is fetched again is right.
#
# timeout: 300
#
#	curl --> tarn-proxy :PORT --> pace 127.0.0.9:ORIGIN		tarnctl cache
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
mkdir -p "$dir/www/bases" "$dir/www/up"
head -c 3M /dev/urandom >"$dir/www/bases/large.dat"
for i in {1..40}; do head -c $((3000 + i * 97)) /dev/urandom >"$dir/www/bases/$i.dat"; done
printf '<u/>' >"$dir/www/up/index.xml"

pace_start
box_start
ctl() { "$build/bin/tarnctl" -s "$dir/run/proxy.sock" cache "$@"; }
api() { curl -sS --max-time 10 --unix-socket "$dir/run/proxy.sock" "$@"; }
get() { curl -sSf --max-time 20 "http://127.0.0.1:$port/acme/$1"; }
same() { get "$1" | cmp - "$dir/www/$1"; }
files() { (cd "$dir/www" && find . -type f -printf '%P\n' | sort); }
fetch() {
	local file
	for file in $(files); do same "$file" || return 1; done
}
lines() { "${@:2}" >"$dir/out" && test "$(wc -l <"$dir/out")" == "$1"; }
fetch || exit 1
wire count store.stored 42 || exit 1

# ---- lists --------------------------------------------------------------------------------------

check 'ls shows each object and the sum' lines 44 ctl ls
check '... by name' grep -q 'fresh  *object  *@content/bases/large.dat$\|@content/bases/large.dat' "$dir/out"
check '... by a part of it' lines 3 ctl ls large
check '... by a pattern' lines 13 ctl ls '@content/bases/1*.dat'
check '... as JSON, a line each' eval "ctl ls --json '*.dat' | jq -es 'length == 41 and all(.[]; .path and .id and .profile == \"acme\")'"
ids() { # all ids, by pages of 7
	local after=0 answer
	while answer=$(api "http://x/api/v1/objects?limit=7&after=$after") || return 1; do
		jq -r '.objects[].id' <<<"$answer"
		[[ $(jq .more <<<"$answer") == true ]] || break
		after=$(jq .next <<<"$answer")
	done
}
check 'pages fit together: each once, the newest first' eval "ids >'$dir/ids' && test \$(sort -u '$dir/ids' | wc -l) == 42 && sort -rnc '$dir/ids'"
check '... and the oldest first' eval "api 'http://x/api/v1/objects?limit=100&order=oldest' | jq -e '[.objects[].id] | length == 42 and . == sort'"
check 'a number that is none is refused' eval "api -o '$dir/out' -w '%{http_code}' 'http://x/api/v1/objects?limit=x' | grep -q 400"
id=$(ctl ls --json large | jq .id)
check 'show tells all about one' eval "ctl show '$id' | grep -q 'large.dat' && ctl show --json '$id' | jq -e '.size == 3145728 and .stored_bytes == .size and .chunks == 13'"
narrow() { # COLUMNS COMMAND...: on a terminal of so many
	script -qec "stty cols $1; $build/bin/tarnctl -s $dir/run/proxy.sock -k none ${*:2}" /dev/null | tr -d '\r' | tee "$dir/narrow"
	awk -v most="$1" 'length > most { exit 1 } END { exit NR < 12 }' "$dir/narrow"
}
check 'why is broken at blanks on a narrow terminal' narrow 72 why http://127.0.0.9/bases/none.dat
refuse '... and refuses what is not there' ctl show 999999
check 'stat shows the file and its limit' eval "ctl stat | grep -q '^file .* of .*%' && ctl stat --json | jq -e '.objects == 42 and .state == \"serving\" and .file_bytes <= .limit'"

# ---- removal ------------------------------------------------------------------------------------

check 'rm takes one' eval "ctl rm '$id' | grep -q '1 removed'"
check '... which is gone' lines 43 ctl ls
check '... and comes again' same bases/large.dat
check 'rm takes what matches' eval "ctl rm '@content/bases/1*.dat' | grep -q '11 removed'"
wire count store.objects 31
check '... and nothing else' lines 33 ctl ls
refuse 'the API wants to know what' eval "api -f -X DELETE http://x/api/v1/objects"
fetch || exit 1
wire idle

# ---- damage -------------------------------------------------------------------------------------

check 'verify reads all again: it is well' eval "ctl verify | tee '$dir/out' | grep -q '42 objects, .* all is as it was stored'"
store=$dir/store/store.mdb
damage() { "$build/tests/tools/damage" "$store" "$dir/www/$1" "$2"; }
flip() { damage "$1" 1; }
zero() { damage "$1" 512; }
flip bases/30.dat && zero bases/large.dat || exit 1
# no_wrong FILE: all that comes is right, if perhaps not all comes.
no_wrong() {
	rm -f "$dir/got"
	curl -sS --max-time 20 -o "$dir/got" "http://127.0.0.1:$port/acme/$1"
	[[ ! -s $dir/got ]] || cmp -n "$(stat -c %s "$dir/got")" "$dir/got" "$dir/www/$1"
}
ctl verify >"$dir/out"
check 'verify finds a flipped bit and a zeroed block' test $? == 1 -a "$(grep -c '2 damaged' "$dir/out")" == 1
check '... and says so in stat' eval "ctl stat --json | jq -e '.bad_chunks == 2 and .scrub.last.bad == 2 and .scrub.last.asked'"
check '... no device gets a wrong byte of them, though they were well when it asked before' \
	eval "no_wrong bases/30.dat && no_wrong bases/large.dat"
check '... they are fetched again' wait_until 10 eval "same bases/30.dat && same bases/large.dat"
wire idle
check '... and are well then' eval "ctl verify | grep -q 'all is as it was stored'"
check 'only what matches is read' eval "ctl verify '30.dat' | grep -q '^1 objects'"

# A device finds it, in a process that has not checked it before.
stop box
flip bases/31.dat && zero bases/large.dat || exit 1
box_start
counted() { (($(wire stat store.bad_chunks) >= 2)); }
check 'a device gets no wrong byte of a flipped chunk' no_wrong bases/31.dat
check '... nor of a zeroed one' no_wrong bases/large.dat
check '... each is counted' counted
check '... and dropped, fetched again, right' wait_until 10 eval "same bases/31.dat && same bases/large.dat"

# The tree itself: set aside, and served all along.
stop box
head -c 8192 /dev/zero | dd of="$store" conv=notrunc status=none
box_start
check 'a broken file is set aside' eval "ls '$dir/store' | grep -q '^store.mdb.broken-'"
check '... while devices are served' fetch
wire count store.stored 42
check '... and a fresh one fills' lines 44 ctl ls
done_testing
