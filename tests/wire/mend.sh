#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The store's file is damaged, and a device is the first to meet it. Within its one request it gets the whole right body
# all the same, for only the damaged chunk is fetched again. Where the origin has other bytes by now, or is gone, it gets
# those from their beginning, or an error, or is cut: a wrong byte never.
#
# timeout: 300
#
#	curl --> tarn-proxy :PORT --> pace 127.0.0.9:ORIGIN
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
chunk=262128 # CONFIG_CHUNK_BYTES
store=$dir/store/store.mdb
mkdir -p "$dir/www" "$dir/old"

# origin ARGUMENTS: pace with these, in the place of the one before.
origin() {
	stop pace
	pace_start "$@"
}
url() { echo "http://127.0.0.1:$port/acme/$1"; }
# fetch FILE [ARGUMENTS]: one request, its bytes in got; curl's exit status.
fetch() { curl -sS --max-time 20 -o "$dir/got" "${@:2}" "$(url "$1")" 2>"$dir/curl"; }
whole() { fetch "$1" -f && cmp "$dir/got" "$dir/www/$1"; }
# part FILE FROM TO: bytes FROM to TO of it, both included.
part() {
	fetch "$1" -f -r "$2-$3" && cmp "$dir/got" <(tail -c +$(($2 + 1)) "$dir/www/$1" | head -c $(($3 - $2 + 1)))
}
# ours FILE [FROM]: what came of it is what was stored, if not all of it.
ours() { cmp -n "$(stat -c %s "$dir/got")" "$dir/got" <(tail -c +$((${2:-0} + 1)) "$dir/old/$1"); }
cut_short() { ! fetch "$1" "${@:3}" && [[ -s $dir/got ]] && ours "$1" "$2"; }
asked() { diff <(sort "$dir/requests") <(printf '%s\n' ready "$@" | sort); }
line() { echo "GET /$1 HTTP/1.1 bytes=$2-$3"; }
index() { echo "$(($1 * chunk))"; }

# restart FILE:BYTES:AT...: with these places damaged, in a process that has checked nothing yet.
restart() {
	local hit file bytes at
	wire idle || exit 1
	stop box
	for hit; do
		IFS=: read -r file bytes at <<<"$hit"
		"$build/tests/tools/damage" "$store" "$dir/old/$file" "$bytes" "$at" || exit 1
	done
	box_start
}
forget() { # all that is stored
	wire idle && "$build/bin/tarnctl" -s "$dir/run/proxy.sock" cache rm '@*' >/dev/null && wire count store.objects 0 || exit 1
}
store_all() {
	local file
	cp "$dir"/www/* "$dir/old"
	for file in "$dir"/www/*; do whole "${file##*/}" || exit 1; done
	wire idle || exit 1
}

for file in first middle last two range tail parts mute; do head -c 3000000 /dev/urandom >"$dir/www/$file"; done
head -c 6000 /dev/urandom >"$dir/www/small"
origin
box_start
store_all

# ---- the origin has the same --------------------------------------------------------------------

restart "first:1:100" "middle:1:$(index 6)" "last:512:2999000" "two:1:$(($(index 3) + 9))" "two:1:$(index 5)" \
	"range:1:$(($(index 4) + 5000))" "tail:1:$(index 8)" "parts:1:$(index 9)" "small:512:3000" "mute:1:$(index 7)"
origin
check 'a bit of the first chunk is flipped: one request gets the whole right body' whole first
check '... for which that chunk alone came' asked "$(line first 0 $((chunk - 1)))"
origin
check 'a bit of one in the middle' whole middle
check '... for which that chunk alone came' asked "$(line middle "$(index 6)" $(($(index 7) - 1)))"
check 'zeroes in the last' whole last
check 'two of them' whole two
check 'a part that begins in the damaged chunk' part range $(($(index 4) + 77)) 2000000
check 'one that ends in it' part tail 1000000 $(($(index 8) + 99))
check 'a body of one chunk' whole small
second_part() { # 100 bytes, before the closing delimiter of 29
	fetch parts -f -r "0-9,$(index 9)-$(($(index 9) + 99))" &&
		cmp <(tail -c 129 "$dir/got" | head -c 100) <(tail -c +$(($(index 9) + 1)) "$dir/www/parts" | head -c 100)
}
check 'the second of two parts' second_part
origin -i
check 'an origin that ignores Range, with the same strong entity tag' whole mute
check 'each damaged chunk was counted once' wire count store.bad_chunks 10
check 'nobody was cut' wire count conn.aborted 0
origin
check 'the next device gets them right' eval 'for f in first middle last two range tail parts small mute; do whole $f || exit 1; done'
wire idle
check '... and then all is well in the store' eval "$build/bin/tarnctl -s $dir/run/proxy.sock cache verify | grep -q 'all is as it was stored'"
# While somebody has the object a damaged chunk's place stays taken, and what came instead is not stored: so not at once.
well() {
	local f before
	before=$(wc -l <"$dir/requests")
	for f in first middle last two range tail parts small mute; do whole "$f" || return 1; done
	wire idle
	[[ $(wc -l <"$dir/requests") == "$before" ]]
}
check '... and soon nothing is fetched any more' wait_until 20 well

# ---- it has something else by now ---------------------------------------------------------------

cp "$dir"/www/* "$dir/old"
restart "first:1:100" "middle:1:$(index 6)" "range:1:$(($(index 4) + 5000))" "tail:1:$(index 8)" "small:1:3000"
for file in "$dir"/www/*; do head -c 2900000 /dev/urandom >"$file"; done
origin -e '"other"'
check 'changed, and the first chunk is damaged: the new one, whole' whole first
check '... a part of it' part range $(($(index 4) + 77)) 2000000
check '... a body of one chunk' whole small
check 'changed, and one in the middle is: cut' cut_short middle 0
check '... that of a part, too' cut_short tail 1000000 -r "1000000-2999999"

# ---- it is gone ---------------------------------------------------------------------------------

rm -f "$dir"/www/*
for file in first middle; do head -c 3000000 /dev/urandom >"$dir/www/$file"; done
origin -e '"third"'
forget
store_all
restart "first:1:100" "middle:1:$(index 6)"
stop pace
failed() { ! fetch first -f && [[ ! -s $dir/got ]]; }
rm -f "$dir/got"
check 'no origin, and the first chunk is damaged: an error' failed
check 'no origin, and one in the middle is: cut' cut_short middle 0

# ---- without a strong validator -----------------------------------------------------------------

origin -e 'W/"weak"'
forget
store_all
restart "first:1:100" "middle:1:$(index 6)"
origin -e 'W/"weak"'
check 'a weak validator, and the first chunk is damaged: the whole comes again' whole first
check '... one in the middle: cut' cut_short middle 0
wire idle
check '... and whole at the next request' whole middle
wire idle
origin
check '... which stores it' eval 'whole first && whole middle && asked'
done_testing
