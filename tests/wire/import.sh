#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tarnctl import: what one box exported becomes another's generation, of a box that reaches no network: devices there
# update completely, also what is long stale, and APT by its own checks. A drive that somebody has altered, or that is not
# signed by who is trusted, changes nothing; a kill in the middle neither.
#
# timeout: 300
#
#	curl --> A :PORT --> nginx 127.0.0.9:ORIGIN	A's socket --> export --> DIR --> import --> B's socket
#	curl, apt-get --> B :PORT, in a namespace of its own with nothing but lo
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
alone=() # how to run a command where B is
mounted=
at_end() { [[ -z $mounted ]] || umount -l "$mounted" 2>/dev/null; }

# ---- the vendors -------------------------------------------------------------------------------------------------

www=$dir/www
index() { # NAME...: the index of these files
	local file
	for file; do
		printf '%s %s %s\n' "$(sha256sum "$www/acme/$file" | cut -d' ' -f1)" "$(stat -c %s "$www/acme/$file")" "$file"
	done
}
publish() { # GENERATION
	local i
	mkdir -p "$www/acme/bases/av"
	head -c 3M /dev/urandom >"$www/acme/bases/av/large-$1.dat"
	[[ -e $www/acme/bases/1.dat ]] || for i in {1..12}; do head -c $((i * i * 4000)) /dev/urandom >"$www/acme/bases/$i.dat"; done
	head -c 300K /dev/urandom >"$www/acme/bases/1.dat"
	index "bases/av/large-$1.dat" bases/{1..12}.dat >"$www/acme/index.lst"
}
apt_publish() {
	local root=$www/deb package=$dir/package gpg=$dir/gpg
	mkdir -p "$package/DEBIAN" "$root/pool" "$root/dists/test/main/binary-all" "$root/dists/test/main/binary-$arch"
	printf 'Package: hello-tarn\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: test\n' >"$package/DEBIAN/control"
	head -c 600K /dev/urandom >"$package/data"
	dpkg-deb -b --root-owner-group "$package" "$root/pool/hello-tarn_1_all.deb" >/dev/null || return 1
	(
		cd "$root" || exit 1
		apt-ftparchive packages pool >"dists/test/main/binary-$arch/Packages" &&
			gzip -kn "dists/test/main/binary-$arch/Packages" &&
			apt-ftparchive -o APT::FTPArchive::Release::Codename=test -o APT::FTPArchive::Release::Suite=test \
				-o APT::FTPArchive::Release::Components=main -o "APT::FTPArchive::Release::Architectures=$arch" \
				release dists/test >"$dir/Release" && mv "$dir/Release" dists/test/Release
	) || return 1
	mkdir -m 700 "$gpg"
	gpg --homedir "$gpg" --batch --quiet --passphrase '' --quick-gen-key 'Tarn test' ed25519 sign 1d 2>/dev/null &&
		gpg --homedir "$gpg" --batch --quiet --yes --clearsign -o "$root/dists/test/InRelease" "$root/dists/test/Release" &&
		gpg --homedir "$gpg" --batch --quiet --export >"$dir/archive.gpg"
	gpgconf --homedir "$gpg" --kill all 2>/dev/null
}
arch=$(dpkg --print-architecture)
publish 1
apt=yes
apt_publish >"$dir/apt.log" 2>&1 || apt=

nginx_start <<END
	access_log $dir/requests;
	server { listen 127.0.0.9:$origin; root $www/acme; }
	server { listen 127.0.0.10:$origin; root $www/deb; }
END

# ---- the boxes ----------------------------------------------------------------------------------------------------

profiles() { # DIR
	mkdir -p "$1"
	cat >"$1/acme.conf" <<-END
		[vendor]
		name = acme
		source = 127.0.0.9:$origin
		[group content]
		exact = 127.0.0.9
		[class index]
		path = /index.lst
		default_ttl = 1s
		stale_if_error = 1s
		[class object]
		path = /**
		default_ttl = 1s
		stale_if_error = 1s
		[index list]
		path = /index.lst
		format = lines
		line = {digest} {size} {path}
		base = host
		[reach]
		host = 127.0.0.9
		port = $origin
	END
	cat >"$1/deb.conf" <<-END
		[vendor]
		name = deb
		source = 127.0.0.10:$origin
		[group archive]
		exact = 127.0.0.10
		[class index]
		path = /dists/**
		default_ttl = 1s
		[class object]
		path = /**
		default_ttl = 1s
		[index release]
		path = /**/InRelease, /**/Release
		format = release
		[index packages]
		path = /**/Packages, /**/Packages.gz, /**/Packages.xz
		format = packages
	END
}
box() { # NAME [-o ...]: starts it
	local name=$1 way=() user=()
	shift
	mkdir -p "$dir/$name/store" "$dir/$name/run"
	profiles "$dir/$name/vendors"
	printf '[proxy]\nadmin_socket = %s\n[keeper]\nstate = %s\n[vendors]\ndir = %s\n' "$dir/$name/run/proxy.sock" \
		"$dir/$name/state" "$dir/$name/vendors" >"$dir/$name/tarn.conf"
	[[ -z ${trust:-} ]] || printf '[repository]\ntrust = %s\n' "$trust" >>"$dir/$name/tarn.conf"
	if [[ $(id -u) == 0 ]]; then
		chown nobody "$dir/$name/store" "$dir/$name/run"
		user=(setpriv --reuid nobody --regid nogroup --clear-groups)
	fi
	[[ $name != b ]] || way=("${alone[@]}")
	"${way[@]}" "${user[@]}" "$build/bin/tarn-proxy" -c "$dir/$name/tarn.conf" -o "proxy.listen=127.0.0.1:$port" \
		-o "cache.path=$dir/$name/store" -o "cache.size=${SIZE:-256M}" -o proxy.workers=1 -o log.level=debug \
		-o steer.allow_private_vendor=yes -o upstream.connect_timeout=1s -o dns.probe_interval=500ms "$@" 2>>"$dir/$name/log" &
	pids[$name]=$!
	wait_until 10 eval "api $name status | jq -e .cache"
}
api() { curl -sS --max-time 30 --unix-socket "$dir/$1/run/proxy.sock" "http://x/api/v1/$2"; }
counter() { api "$1" stat | jq --arg name "$2" '.counters[] | select(.name == $name) | .value'; }
ctl() { "$build/bin/tarnctl" -c "$dir/$1/tarn.conf" "${@:2}"; }
is_counter() { [[ $(counter "$1" "$2") == "$3" ]]; }

if [[ $(id -u) == 0 ]] && unshare -n true 2>/dev/null; then
	unshare -n sleep 1000 &
	pids[net]=$!
	wait_until 5 eval "[[ \$(readlink /proc/${pids[net]}/ns/net) != \$(readlink /proc/self/ns/net) ]]"
	alone=(nsenter -t "${pids[net]}" -n)
	"${alone[@]}" ip link set lo up
	check 'B is alone: no interface but lo, no route' test -z "$("${alone[@]}" ip route)"
else
	skip 'B in a namespace without a network' 'only root can make one'
fi

# Indexes first, as a device does.
files() { (cd "$www/$1" && find . -maxdepth 1 -type f -printf '%P\n' && find . -mindepth 2 -type f -printf '%P\n' | sort); }
# update BOX VENDOR TO [CURL-OPTION]...: a device takes it all. max-age=0: nothing that is stored is good enough, if anybody can be asked.
update() {
	local file way=()
	[[ $1 != b ]] || way=("${alone[@]}")
	mkdir -p "$3"
	for file in $(files "$2"); do
		"${way[@]}" curl -sSf --max-time 60 --create-dirs -o "$3/$file" "${@:4}" "http://127.0.0.1:$port/$2/$file" || return 1
	done
}
# event WHAT: the newest of B's events of this name: its text.
event() { api b 'events?limit=1000' | jq -r --arg what "$1" '[.events[] | select(.what == $what)] | max_by(.id) | .text'; }
number() { jq -r ".[] | select(.profile == \"acme\") | .$1" <<<"$2"; }
error() { number error "$1"; }

wait_until 5 eval "curl -sSf -o '$dir/x' http://127.0.0.9:$origin/index.lst" || exit 1
box a || exit 1
update a acme "$dir/got-a" || exit 1
[[ -z $apt ]] || update a deb "$dir/got-a-deb" || exit 1
# is_stored BOX N: so many objects are committed.
is_stored() { (($(counter "$1" store.objects) >= $2)); }
all=$(files acme | wc -l)
[[ -z $apt ]] || all=$((all + $(files deb | wc -l)))
wait_until 10 is_stored a "$all" || echo "# $(counter a store.objects) of $all objects are stored"
check 'exported' ctl a export "$dir/drive"
key=$(ctl a export --key)

# ---- whose word counts ----------------------------------------------------------------------------------------------

box b || exit 1
out=$(ctl b import "$dir/drive" 2>&1)
check 'a drive of a box that is not trusted: refused' test $? == 3
check '... with its key and what to do' grep -q "key $key.*\[repository\] trust" <<<"$out"
check '... the box'"'"'s events say that and why' grep -q "^vendor=[a-z]* where=$dir/drive why=\"its manifest is not signed" <(event import.failed)
refuse '... nothing is there' update b acme "$dir/none" 2>/dev/null
check 'no export at all: said so' grep -q 'no TARN' <<<"$(ctl b import "$dir/www" 2>&1)"
out=$(ctl b --json -p acme import --trust "$key" "$dir/drive")
check 'with --trust: imported' test "$(number imported "$out")" == true
check '... the events say what came from where' test "$(event import.done)" == \
	"vendor=acme where=$dir/drive number=$(number number "$out") objects=$(number files "$out") bytes=$(number bytes "$out") read=$(number bytes_sent "$out")"
trust=$key
stop b
rm -rf "$dir/b/store"

# ---- drives that have been tampered with -------------------------------------------------------------------------------

box b || exit 1
tampered() { # WHAT WORDS COMMAND...: changes a copy of the drive; import must refuse it by these words
	local what=$1 words=$2 out
	rm -rf "$dir/copy"
	cp -a "$dir/drive" "$dir/copy"
	(cd "$dir/copy" && eval "$3") || return 1
	out=$(ctl b --json import -p acme "$dir/copy")
	check "$what: refused" test $? == 3
	check '... saying which file and why' grep -q "$words" <<<"$(error "$out")"
	check '... among the events, too' grep -q "where=$dir/copy why=" <(event import.failed)
}
tampered 'a byte of an object' 'acme/bases/9.dat: it is not what the manifest says' 'printf x | dd of=acme/bases/9.dat bs=1 seek=100000 conv=notrunc status=none'
tampered 'an object that is shorter' 'acme/bases/3.dat: it has 35999 bytes' 'truncate -s 35999 acme/bases/3.dat'
tampered 'an object that is missing' 'acme/bases/4.dat: it is missing' 'rm acme/bases/4.dat'
tampered 'an object that is a link' 'acme/bases/5.dat: ' 'mv acme/bases/5.dat ../x5; ln -s "$PWD/../x5" acme/bases/5.dat'
tampered 'an index' 'acme/index.lst: it is not what the manifest says' 'sed -i "s/^./0/" acme/index.lst'
tampered 'the manifest' 'if it is there already, the manifest has been altered' 'sed -i "s/300/301/" TARN/acme.manifest'
tampered 'half a manifest' 'has been altered' 'truncate -s 1000 TARN/acme.manifest'
tampered 'an empty manifest' 'damaged' ': >TARN/acme.manifest'
check 'none of them left anything in the store' wait_until 5 is_counter b store.objects 0
# Signed, but by somebody who had an index and objects of two generations.
cp "$www/acme/bases/2.dat" "$dir/2.dat"
head -c 16000 /dev/urandom >"$www/acme/bases/2.dat"
touch -d '1 hour ago' "$www/acme/bases/2.dat" # nginx tells versions apart by time and size
before=$(counter a store.stored)
curl -sSf -o /dev/null -H 'Cache-Control: no-cache' "http://127.0.0.1:$port/acme/bases/2.dat"
was_stored() { (($(counter a store.stored) > before)); }
wait_until 10 was_stored
ctl a export -p acme "$dir/mixed" >/dev/null
out=$(ctl b --json import -p acme "$dir/mixed")
check 'an index and objects of two generations: refused' test $? == 3
check '... saying which' grep -q 'acme/bases/2.dat: its digest is not the one that /index.lst names' <<<"$(error "$out")"
cp "$dir/2.dat" "$www/acme/bases/2.dat"
check '... nothing is in the store' wait_until 5 is_counter b store.objects 0

# ---- a whole one ---------------------------------------------------------------------------------------------------------

out=$(ctl b --json import "$dir/drive")
check 'imported' test "$(number imported "$out")" == true
check '... all files of it' test "$(number sent "$out")-$(number files "$out")" == "14-14"
check 'a device without a network gets all of it' update b acme "$dir/got-b"
check '... byte for byte' diff -r "$www/acme" "$dir/got-b"
check 'also one that takes nothing that is stored' update b acme "$dir/got-c" -H 'Cache-Control: max-age=0'
check '... byte for byte' diff -r "$www/acme" "$dir/got-c"
status=$("${alone[@]}" curl -sS -o /dev/null -D - -H 'Cache-Control: max-age=0' "http://127.0.0.1:$port/acme/index.lst")
check '... from the store, nobody was asked' grep -q '^Cache-Status: .*hit.*detail=generation' <<<"$status"
is_told() { ctl b sync | grep -q 'acme .*done .*import'; }
check 'it stands in the history' is_told
out=$(ctl b --json import -p acme "$dir/drive")
check 'again: it is here already' test "$(number unchanged "$out")-$(number sent "$out")" == true-0

apt_device() {
	local d=$dir/apt
	mkdir -p "$d"/{lists/partial,cache/archives/partial,etc,download}
	echo "deb [arch=$arch signed-by=$dir/archive.gpg] http://127.0.0.1:$port/deb test main" >"$d/etc/sources.list"
	cat >"$d/apt.conf" <<-CONF
		Dir::Etc::sourcelist "$d/etc/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::parts "-";
		Dir::State::lists "$d/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$d/cache";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "0";
		Acquire::http::Proxy "DIRECT";
	CONF
	(
		export APT_CONFIG=$d/apt.conf
		"${alone[@]}" apt-get -q update && cd "$d/download" && "${alone[@]}" apt-get -q download hello-tarn
	) && cmp "$d"/download/*.deb "$www/deb/pool/hello-tarn_1_all.deb"
}
if [[ -n $apt ]]; then
	check 'apt-get there, with its own checks of signature and digests' apt_device
else
	skip 'apt-get' "no repository could be made: $(tail -n 1 "$dir/apt.log")"
fi

# ---- the next generation, a restart, an older one ---------------------------------------------------------------------------

stop b KILL
box b || exit 1
check 'after kill -9 and a restart it is all there' update b acme "$dir/got-d" -H 'Cache-Control: max-age=0'
check '... byte for byte' diff -r "$dir/got-b" "$dir/got-d"
rm "$www/acme/bases/av/large-1.dat"
publish 2
update a acme "$dir/got-a2" -H 'Cache-Control: no-cache' || exit 1
# As soon as A has committed it all. The drive still has the object that generation 1 alone had.
carried() {
	rm -rf "$dir/a2"
	mkdir "$dir/a2"
	cp -a "$dir/drive/." "$dir/a2"
	ctl a export -p acme "$dir/a2" >/dev/null &&
		[[ $(diff -rq "$www/acme" "$dir/a2/acme") == "Only in $dir/a2/acme/bases/av: large-1.dat" ]]
}
wait_until 20 carried || echo '# the second generation is not exported whole'
# Killed at a random moment (tests/tools/sever): B is as it was, and goes on with what had come. An import asks 16 times at
# least, the last of them to publish. TARN_KILLS=5 for less of it.
kills=${TARN_KILLS:-50}
cut_import() { # N client|server
	rm -f "$dir/cut" "$dir/cut.sock" # of the one before
	"$build/tests/tools/sever" "$dir/cut.sock" "$dir/b/run/proxy.sock" "$1" "$2" >"$dir/cut" 2>&1 &
	pids[cut]=$!
	wait_until 10 grep -q ready "$dir/cut" || return 1
	"$build/bin/tarnctl" -c "$dir/b/tarn.conf" -s "$dir/cut.sock" import -p acme "$dir/a2" >"$dir/cut.out" 2>&1 &
	wait $! 2>/dev/null
	killed=$?
	wait "${pids[cut]}" || { echo "# question $1: it was done before: $(<"$dir/cut") $(<"$dir/cut.out")"; return 1; }
	unset "pids[cut]"
}
is_as_before() {
	local got
	got=$("${alone[@]}" curl -sSf --max-time 10 "http://127.0.0.1:$port/acme/index.lst" | sha256sum)
	[[ $got == "$(sha256sum <"$dir/got-b/index.lst")" ]] || { echo '# another index'; return 1; }
}
for ((i = 0; i < kills; i++)); do
	cut_import $((2 + RANDOM % 14)) client || break
	((killed == 137)) || break
	is_as_before || break
done
check "import killed in the middle, $kills times: the generation before is served" test "$i" == "$kills"
kills=$(((kills + 4) / 5))
for ((i = 0; i < kills; i++)); do
	cut_import $((2 + RANDOM % 14)) server || break
	((killed != 0 && killed != 137)) || break
	{ wait "${pids[b]}"; } 2>/dev/null
	unset "pids[b]"
	box b || break
	is_as_before || break
done
check "the proxy killed in the middle of it, $kills times: the same" test "$i" == "$kills"
out=$(ctl b --json import -p acme "$dir/a2")
check 'the next one: imported' test "$(number imported "$out")" == true
check '... only what is new has been read' test "$(number had "$out")" -ge 11
check 'devices get it' update b acme "$dir/got-e"
check '... byte for byte' diff -r "$www/acme" "$dir/got-e"
out=$(ctl b --json import -p acme "$dir/drive")
check 'what is older: refused' grep -q 'older than what is here' <<<"$(error "$out")"
check '... but not with --older' ctl b import --older -p acme "$dir/drive"

# ---- a store that is too small, a medium that can't be written -----------------------------------------------------------------

stop b
rm -rf "$dir/b/store"
SIZE=4M box b || exit 1
said=
too_small() {
	said=$(ctl b --json import -p acme "$dir/a2")
	echo "# $said" >>"$dir/said"
	grep -q 'too large: the store may hold' <<<"$(error "$said")"
}
check 'a store that is too small: refused before anything comes' wait_until 10 too_small || cat "$dir/said" "$dir/b/proxy.log"
stop b
rm -rf "$dir/b/store"
box b || exit 1
if [[ $(id -u) == 0 ]] && mkdir "$dir/ro" && mount --bind "$dir/a2" "$dir/ro" 2>/dev/null; then
	mounted=$dir/ro
	mount -o remount,bind,ro "$dir/ro"
	check 'a medium that can not be written' ctl b import -p acme "$dir/ro"
else
	skip 'a medium that can not be written' 'only root can mount'
fi
done_testing
