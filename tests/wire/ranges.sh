#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Ranges of large objects, and origins that die in the middle of one. Every body is compared with the vendor's file.
#
# timeout: 360
#
#	curl --> tarn-proxy :PORT --> pace 127.0.0.9:ORIGIN, and its mirror 127.0.0.10:ORIGIN
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
mkdir "$dir/www"
file=$dir/www/a
mib=$((1 << 20))
head -c $((40 * mib + 12345)) /dev/urandom >"$file"
size=$(stat -c %s "$file")
for i in {1..9} b c d e f g h i j k l m g{1..8}; do ln "$file" "$dir/www/$i"; done

# start_origin ADDRESS OPTION...
start_origin() {
	local address=$1
	shift
	"$build/tests/tools/pace" "$@" "$address" "$origin" "$dir/www" >>"$dir/requests" &
	pids[$address]=$!
	wait_until 10 bash -c "</dev/tcp/$address/$origin" || exit 1
}
stop_origins() {
	stop 127.0.0.9
	stop 127.0.0.10
}

# get NAME [FROM TO]: right bytes, whole or of that range.
get() {
	local from=${2:-0} to=${3:-$((size - 1))}
	curl -sS --max-time 30 ${2:+-r "$2-${3:-}"} -o "$dir/got" "http://127.0.0.1:$port/acme/$1" || return
	cmp "$dir/got" <(tail -c +$((from + 1)) "$file" | head -c $((to - from + 1)))
}
requests() { grep -c "GET /$1 " "$dir/requests"; }

start_origin 127.0.0.9
box_start -o cache.size=2G

# ---- parts of an object that is not stored ------------------------------------------------------------
check 'a part far inside a cold object' get a $((30 * mib + 5)) $((31 * mib))
check 'is fetched as a part, in whole chunks' grep -qE 'GET /a .*bytes=[0-9]+-[0-9]+$' "$dir/requests"
wire idle
check 'a part within it needs no fetch' get a $((30 * mib + 100)) $((30 * mib + 200))
check '... one request so far' test "$(requests a)" == 1
check 'a part that begins in it and goes beyond' get a $((30 * mib + 500000)) $((33 * mib))
wire idle
check 'a part near the start' get a 1000 2000
wire idle
check 'from somewhere to the end' get a $((39 * mib))
wire idle
check 'the whole, filled up' get a
wire idle
before=$(requests a)
check 'the whole again' get a
check '... is stored now' test "$(requests a)" == "$before"
check 'several parts of it' curl -sSf --max-time 10 -r 0-9,$((20 * mib))-$((20 * mib + 9)) -o "$dir/got" \
	"http://127.0.0.1:$port/acme/a"
check '... are in the answer' grep -qF "Content-Range: bytes 0-9/$size" "$dir/got"

# Several devices, parts side by side, at once.
parts=()
for i in {0..7}; do
	curl -sS --max-time 30 -r $((10 * mib + i * mib))-$((11 * mib + i * mib - 1)) -o "$dir/part$i" \
		"http://127.0.0.1:$port/acme/b" &
	parts+=($!)
done
wait "${parts[@]}"
check 'parts asked for at once are all right' cmp <(cat "$dir"/part[0-7]) \
	<(tail -c +$((10 * mib + 1)) "$file" | head -c $((8 * mib)))
wire idle
check 'and the whole of that object' get b

# Most of an object is asked for, in parts: the rest comes by itself.
fills() {
	wire count flight.fills "$1" &&
		wire count flight.open 0 && wire idle
}
check 'less than half of an object' get h $((12 * mib)) $((28 * mib - 1))
wire idle
check '... of which a part is asked for' get h $((13 * mib)) $((14 * mib))
check '... and nothing is done about the rest' fills 0
check 'more than half' get h $((28 * mib)) $((36 * mib - 1))
check '... has a hole filled that nobody asked for' fills 1
wire idle
check 'a part of what is stored' get h $((13 * mib)) $((14 * mib))
check '... has the other filled' fills 2
wire idle
check 'the whole needs no fetch' get h
check '... all came by four' test "$(requests h)" == 4

# A download that is taken up again where it broke off, with If-Range, of what is not stored (any more).
# again NAME VALIDATOR FROM BYTES: so many come, from there on.
again() {
	curl -sS --max-time 30 -H "If-Range: $2" -r "$3-" -o "$dir/got" "http://127.0.0.1:$port/acme/$1" &&
		cmp "$dir/got" <(tail -c "$4" "$file")
}
check 'the rest of what the device has the beginning of' again j '"paced"' $((30 * mib)) $((size - 30 * mib))
wire idle
check '... is all that is fetched' grep -qE 'GET /j .*bytes=[1-9][0-9]+-' "$dir/requests"
check '... once' test "$(requests j)" == 1
check 'who has the beginning of another version gets the whole' again j '"old"' $((30 * mib)) "$size"
wire idle
check '... as from the origin' again k '"old"' $((30 * mib)) "$size"
check '... that was asked but once' test "$(requests k)" == 1
check 'the rest, by the date of what the device has' again m 'Wed, 01 Jan 2025 00:00:00 GMT' $((30 * mib)) $((size - 30 * mib))
wire idle
check '... is all that is fetched' grep -qE 'GET /m .*bytes=[1-9][0-9]+-' "$dir/requests"
check '... once' test "$(requests m)" == 1
check 'who has the beginning of an older one gets the whole' again m 'Tue, 31 Dec 2024 00:00:00 GMT' $((30 * mib)) "$size"
# The end of what is not stored.
check 'a large suffix of a cold object' curl -sS --max-time 30 -r "-$((5 * mib))" -o "$dir/got" "http://127.0.0.1:$port/acme/l"
check '... is right' cmp "$dir/got" <(tail -c $((5 * mib)) "$file")
check '... and all that is fetched' grep -qE "GET /l .*bytes=-$((5 * mib))\$" "$dir/requests"

# A small part is stored by itself, until the whole is: or it would answer again when that was evicted.
objects() { wire stat store.objects; }
check 'a small part of a cold object' get i 1000 2000
wire idle
before=$(objects)
check 'the whole of it' get i
wire idle
check '... takes its place' test "$(objects)" == "$before"

# Parts that overlap, of an object that nobody has: each byte comes once. Not always: what two fetches brought that both
# began before either knew the object is asked for again now and then. So several objects, and more than a few must.
stop_origins
start_origin 127.0.0.9 -r $((20 * mib))
# overlap NAME: adds to `right` and `once`.
overlap() {
	local parts=() i asked
	for i in {0..3}; do
		curl -sS --max-time 30 -r $(((12 + 2 * i) * mib))-$(((17 + 2 * i) * mib - 1)) -o "$dir/part$i" \
			"http://127.0.0.1:$port/acme/$1" &
		parts+=($!)
	done
	wait "${parts[@]}"
	for i in {0..3}; do
		cmp "$dir/part$i" <(tail -c +$(((12 + 2 * i) * mib + 1)) "$file" | head -c $((5 * mib))) &&
			right=$((right + 1))
	done
	asked=$(($(sed -n "s/^GET \/$1 .*bytes=\([0-9]*\)-\([0-9]*\)$/\2 - \1 + 1/p" "$dir/requests" | paste -sd+)))
	echo "# four parts of 5 MiB, 11 MiB in all, of $1: $((asked / 1024)) KiB came"
	((asked > 11 * mib + 1048576)) || once=$((once + 1))
}
right=0 once=0
for name in g g{1..8}; do overlap "$name"; done
check 'parts that overlap are all right' test $right == 36
check "... and come once, of $once objects of 9" test $once -ge 3
wire idle
check 'a part far behind them' get g $((30 * mib)) $((38 * mib))
wire idle
check 'the whole of it' get g

# ---- origins that do not do what they should ------------------------------------------------------------
stop_origins
start_origin 127.0.0.9 -i
check 'an origin that ignores Range: the part all the same' get c $((30 * mib)) $((31 * mib))
wire idle
check '... and the whole' get c
stop_origins
start_origin 127.0.0.9 -e '"other"'
check 'a part of the first version' get d $((30 * mib)) $((31 * mib))
wire idle
stop_origins
start_origin 127.0.0.9 -e '"newer"'
check 'the rest has another validator: one version or the other, not both' get d
wire idle

# ---- origins that die -----------------------------------------------------------------------------------
for i in {1..9}; do
	stop_origins
	start_origin 127.0.0.9 -k $((10 * i))
	check "dies at $((10 * i)) %, and is back for the rest" get "$i"
done
check '... resumed at the very byte' grep -qx "GET /5 HTTP/1.1 bytes=$((size * 50 / 100))-" "$dir/requests"
wire idle
stop_origins
for i in 1 5 9; do check "what died at $((10 * i)) % is stored whole: nobody is asked" get "$i"; done

# It dies for good; the mirror has the same version, or another.
start_origin 127.0.0.10 -e '"mirror"'
start_origin 127.0.0.9 -k 50 -i -e '"mirror"'
check 'dies for good, the mirror goes on' get e
stop_origins
start_origin 127.0.0.10 -e '"other"'
start_origin 127.0.0.9 -k 50 -i -e '"mirror"'
refuse 'the mirror has another version: the device is cut' get f
check '... with right bytes up to there' cmp -n "$(stat -c %s "$dir/got")" "$dir/got" "$file"
done_testing
