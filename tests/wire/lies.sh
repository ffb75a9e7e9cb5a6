#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Indexes that lie or are broken: a run refuses each with file, place and reason, fetches nothing that one names, and the
# generation before stays, for devices, too. The reader alone: tests/unit/firmware/index.
#
#	curl --> tarn-proxy :PORT --> nginx: 127.0.0.9:ORIGIN
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
# shellcheck source=tests/wire/fleet_vendor.sh
. "$here/fleet_vendor.sh"

www=$dir/www/p
mkdir "$dir/profiles"
cat >"$dir/profiles/acme.conf" <<END
[vendor]
name = acme
source = 127.0.0.9:$origin
[hosts]
exact = 127.0.0.9
[class index]
path = /p/index.*
default_ttl = 1h
[class object]
path = /**
default_ttl = 1h
[sync]
ahead = yes
[index lines]
path = /p/index.lst
format = lines
line = {digest} {size} {path} {name}
base = host
[index xml]
path = /p/index.xml
format = xml
element = file
at_path = Name
at_size = Size
digest = sha256
at_digest = Hash
END
seq 1 3000 >"$www/one"
seq 1 4000 >"$www/two"
sha=$(sha256sum "$www/two" | cut -d ' ' -f 1)
good() {
	index_of one
	printf '<u><file Name="two" Size="%s" Hash="%s"/></u>' "$(stat -c %s "$www/two")" "$sha" >"$www/index.xml"
	age "$www/index.xml"
}
good
vendor_start <<END
	log_format brief '\$request_uri \$status';
	access_log $dir/access.log brief;
	server { listen 127.0.0.9:$origin; root $dir/www; }
END
fleet_box_start -o sync.publish_limit=1d -o "vendors.dir=$dir/profiles"

get() { curl -s --max-time 20 -o "$dir/body.$1" -w '%{http_code}' "http://127.0.0.1:$port/acme/p/$1"; }
all=(one two index.lst index.xml)
stays_as_it_was() {
	local file words=()
	for file in "${all[@]}"; do words+=(-o "$dir/body.$file" "http://127.0.0.1:$port/acme/p/$file"); done
	curl -sSf --max-time 20 "${words[@]}" || return 1
	for file in "${all[@]}"; do cmp "$dir/body.$file" "$dir/good.$file" || return 1; done
	[[ $(published) == "$number" ]]
}

for file in "${all[@]}"; do
	[[ $(get "$file") == 200 ]] || echo "# $file: $(get "$file")"
	cp "$www/$file" "$dir/good.$file"
done
is_noted() { api devices | jq -e '.devices[0].requests == 4' >/dev/null; }
check 'a device has asked for two indexes and what they name' wait_until 10 is_noted
sync_now # what the device saw of the indexes may have begun a run before this one
check '... which is published' grep -Eq '^(done|unchanged)$' <<<"$(last result)"
number=$(published)
check '... as a generation' test "$number" -gt 0

# lie WHAT WORDS: an index has been changed; the run must refuse it by these words, and it is put right again.
lie() {
	sync_now
	check "$1" test "$(last result)" == failed
	check '... with file, place and reason' grep -Eq -- "$2" <<<"$(last trouble)" || api sync | jq -c '.history[-1]'
	check '... and what was before stays' stays_as_it_was
	good
}
size=$(stat -c %s "$www/one") one=$(sha256sum "$www/one" | cut -d ' ' -f 1)
line() { printf '%s %s %b one\n' "$@" >>"$www/index.lst" && age "$www/index.lst"; }
xml() { printf '%b' "$1" >"$www/index.xml" && age "$www/index.xml"; }

line "$one" "$size" /../../etc/passwd
lie 'a path that leads out' '/p/index.lst:2:[0-9]*: path_outside'
line "$one" "$size" http://other.example/one
lie 'another host' '/p/index.lst:2:[0-9]*: path_foreign'
line "${one:0:63}" "$size" /p/three
lie 'half a digest' '/p/index.lst:2:[0-9]*: digest'
line "${sha//[0-9]/0}" "$size" /p/one
lie 'one path with two digests' '/p/index.lst:2:[0-9]*: conflict'
line "$one" "$size" '/p/a\0b'
lie 'a name with a NUL' '/p/index.lst:2:[0-9]*: path_bytes'
xml '<u><file Name="a&#10;b"/></u>'
lie 'a name with a line feed' '/p/index.xml:1:[0-9]*: path_bytes'
xml '<!DOCTYPE u [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<u>&b;</u>'
lie 'entities' '/p/index.xml:1:[0-9]*: doctype'
xml '<u><file Name="two" '
lie 'one that ends in the middle' '/p/index.xml:1:[0-9]*: (truncated|malformed)'
{ printf '<u>\n' && yes '<a>' | head -c 4000; } >"$www/index.xml"
age "$www/index.xml"
lie 'elements in elements' '/p/index.xml:[0-9]*:[0-9]*: too_deep'
{ printf '<u>\n' && seq -f '<file Name="%.0f"/>' 1000000 && printf '</u>'; } >"$www/index.xml"
age "$www/index.xml"
lie 'a million of entries' '/p/index.xml:500002:[0-9]*: too_many'
{ printf '<u>' && head -c 100M /dev/zero | tr '\0' ' ' && printf '</u>'; } >"$www/index.xml"
age "$www/index.xml"
lie '100 MB of XML' '/p/index.xml:1:[0-9]*: too_large'

# What it names well, but is not so.
: >"$www/index.lst"
line "${one//[0-9]/0}" "$size" /p/one
sync_now
check 'an object that is not what the index names' test "$(last result)" == failed
check '... is told' grep -q 'not what the index names' <<<"$(last trouble)"
check '... and what was before stays' stays_as_it_was
check 'each is counted' test "$(wire stat sync.index_refused)" == 11
good
sync_now
check 'with right ones it goes on' grep -Eq '^(done|unchanged)$' <<<"$(last result)"
check 'nothing that a lie named was asked for' test -z "$(grep -Ev '^/(begin|p/(one|two|index\.(lst|xml)))[ ?]' "$dir/access.log")"
done_testing
