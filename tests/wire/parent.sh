#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Caches between the box and the vendor: a real Squid (as a proxy, also for https by CONNECT), a real Traffic Server (in
# reverse), and another Tarn; what becomes of requests when one fails, refuses, or leads back.
#
#	curl --> A 127.0.0.1:A --> a parent --> nginx, the vendor: 127.0.0.9:ORIGIN, by https 127.0.0.10:TLS
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
port_a=$port port_b=$((port + 2)) tls=$((port + 3)) squid=$((port + 4)) ats=$((port + 5)) nobody=$((port + 6)) port_c=$((port + 7))
reverse=$((port + 8))
mkdir -p "$dir"/{www,a,b,squid,ats}

# ---- the vendor --------------------------------------------------------------------------------------

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=vendor \
	-addext subjectAltName=IP:127.0.0.10 -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
head -c 300000 /dev/urandom >"$dir/www/content"
printf 'box:%s\n' "$(openssl passwd -apr1 zyx-secret)" >"$dir/passwords"
nginx_start <<END
	log_format brief '\$scheme \$request_uri \$status';
	access_log $dir/access.log brief;
	log_format secrets '\$http_authorization\$http_proxy_authorization';
	access_log $dir/secrets.log secrets;
	server {
		listen 127.0.0.1:$reverse;
		root $dir/www;
		access_log off;
		auth_basic parent;
		auth_basic_user_file $dir/passwords;
		location / { try_files /content =404; }
	}
	server {
		listen 127.0.0.9:$origin;
		listen 127.0.0.10:$tls ssl;
		ssl_certificate $dir/cert.pem;
		ssl_certificate_key $dir/key.pem;
		root $dir/www;
		add_header Cache-Control max-age=600;
		location /no/ { return 403; }
		location /slow/ { limit_rate 150k; try_files /content =404; }
		location / { try_files /content =404; }
	}
END

# ---- the parents -------------------------------------------------------------------------------------

squid_start() { # [LINE]...
	{
		printf '%s\n' "$@"
		cat <<-END
			http_port 127.0.0.1:$squid
			http_access allow all
			acl CONNECT method CONNECT
			cache_dir ufs $dir/squid/cache 64 1 1
			cache_mem 8 MB
			maximum_object_size 10 MB
			collapsed_forwarding on
			access_log stdio:$dir/squid/access
			cache_log $dir/squid/cache.log
			cache_store_log none
			pid_filename none
			shutdown_lifetime 1 seconds
			max_filedescriptors 1024
			pinger_enable off
		END
	} >"$dir/squid/conf"
	[[ $(id -u) != 0 ]] || chown -R proxy "$dir/squid"
	[[ -d $dir/squid/cache ]] || squid -N -z -f "$dir/squid/conf" >"$dir/squid/z" 2>&1
	squid -N -f "$dir/squid/conf" >"$dir/squid/out" 2>&1 &
	pids[squid]=$!
	wait_until 20 opens "$squid"
}
ats_start() {
	local etc
	chmod 777 "$dir/ats"
	traffic_layout init --force --path "$dir/ats" --copy-style=SOFT >/dev/null 2>&1 || return 1
	etc=$(sed -n 's/^sysconfdir: *//p' "$dir/ats/runroot.yaml")
	mkdir -p "$dir/ats/store"
	echo "map / http://127.0.0.9:$origin/" >"$etc/remap.config"
	echo "$dir/ats/store 64M" >"$etc/storage.config"
	cat >"$etc/records.config" <<-END
		CONFIG proxy.config.http.server_ports STRING $ats:ip-in=127.0.0.1
		CONFIG proxy.config.exec_thread.autoconfig.enabled INT 0
		CONFIG proxy.config.exec_thread.limit INT 1
		CONFIG proxy.config.cache.ram_cache.size INT 8M
		CONFIG proxy.config.log.logging_enabled INT 0
		CONFIG proxy.config.admin.user_id STRING #-1
	END
	TS_RUNROOT=$dir/ats/runroot.yaml traffic_server >"$dir/ats/out" 2>&1 &
	pids[ats]=$!
	wait_until 20 opens "$ats"
}
opens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ---- the boxes ---------------------------------------------------------------------------------------

# box NAME PORT [-o SETTING]...: with an empty store.
box() {
	local at=$dir/$1
	stop "$1"
	rm -rf "${at:?}"/{store,run,vendors}
	mkdir -p "$at/profiles"
	sed "s/ORIGIN/$origin/; s/TLS/$tls/; s!DIR!$at/profiles!" >"$at/profiles/acme.conf" <<-END
		[vendor]
		name = acme
		source = 127.0.0.9:ORIGIN
		[hosts]
		exact = 127.0.0.9
	END
	sed "s/TLS/$tls/; s!DIR!$at/profiles!" >"$at/profiles/safe.conf" <<-END
		[vendor]
		name = safe
		source = 127.0.0.10:TLS
		upstream = https
		[hosts]
		exact = 127.0.0.10
		[tls]
		ca_file = DIR/ca.pem
	END
	cp "$dir/cert.pem" "$at/profiles/ca.pem"
	"$here/../tools/wire" start "$at" "$2" "$origin" -o "vendors.dir=$at/profiles" -o parent.check=200ms "${@:3}" &
	pids[$1]=$!
	"$here/../tools/wire" ready "$at" || exit 1
}
parent() { curl -sS --unix-socket "$dir/${2:-a}/run/proxy.sock" http://x/api/v1/upstreams | jq -r ".parents[${3:-0}].$1"; }
state_is() { [[ $(parent state "${2:-a}" "${3:-0}") == "$1" ]]; }
counter() { "$here/../tools/wire" stat "$dir/a" "$1"; }
# get PATH [CURL OPTION]...: prints the status; the body is in $dir/body.
get() { curl -s --max-time 20 -o "$dir/body" -w '%{http_code}' "${@:2}" "http://127.0.0.1:$port_a$1"; }
is_right() { cmp "$dir/body" "$dir/www/content"; }
# came PATH: how often the vendor has sent it whole.
came() { grep -c "^[a-z]* $1 200\$" "$dir/access.log"; }
came_is() { [[ $(came "$1") == "$2" ]]; }
as_parent() { box a "$port_a" -o "parent.servers=$1" "${@:2}"; }

wait_until 10 curl -s -o /dev/null "http://127.0.0.9:$origin/begin" || { cat "$dir/nginx.log"; exit 1; }

# ---- Squid -------------------------------------------------------------------------------------------

body_has() { [[ -e $dir/body && $(stat -c %s "$dir/body") -ge $1 ]]; }
cut_in_the_middle() {
	local device
	rm -f "$dir/body"
	get /acme/slow/middle >"$dir/status" &
	device=$!
	wait_until 10 body_has 30000
	kill -KILL "${pids[squid]}"
	wait "$device"
	echo "status $(<"$dir/status"), $(stat -c %s "$dir/body") bytes"
	[[ $(<"$dir/status") == 200 ]]
}
# Through a Squid that wants a password, and none straight.
with_password() {
	local helper=/usr/lib/squid/basic_ncsa_auth
	[[ -x $helper ]] || { skip 'a Squid that wants a password' "no $helper"; return; }
	stop squid KILL
	squid_start "auth_param basic program $helper $dir/passwords" 'acl known proxy_auth REQUIRED' 'http_access deny !known'
	as_parent "http://127.0.0.1:$squid" -o parent.credentials=box:zyx-wrong
	check 'a Squid that wants a password, and gets a wrong one: the vendor is asked' test "$(get /acme/wrong)" == 200
	check '... it rests' wait_until 5 state_is resting
	check '... which is said' test "$(parent why)" == 'it wants a password'
	as_parent "http://127.0.0.1:$squid" -o parent.direct=no -o parent.credentials=box:zyx-secret
	check '... and the right one' wait_until 5 state_is good
	check 'what it brings is right' test "$(get /acme/password)" == 200
	check '... byte for byte' is_right
	check '... https, too' test "$(get /safe/password)" == 200
	check '... as that user' wait_until 5 grep -q "GET http://127.0.0.9:$origin/password box " "$dir/squid/access"
	refuse 'the vendor hears nothing of it' grep -q '[^-]' "$dir/secrets.log"
	refuse '... nor does the log' grep -rq "zyx-secret\|$(printf box:zyx-secret | base64)" "$dir/a/proxy.log"
	stop squid KILL
	squid_start 'http_access deny all'
}
with_squid() {
	squid_start
	as_parent "http://127.0.0.1:$squid"
	check 'a Squid is found' wait_until 5 state_is good
	check 'what it brings is right' test "$(get /acme/squid)" == 200
	check '... byte for byte' is_right
	check '... and came through it' grep -q "GET http://127.0.0.9:$origin/squid" "$dir/squid/access"
	check '... which is counted' test "$(counter parent.requests)" == 1
	as_parent "http://127.0.0.1:$squid"
	check 'a second box behind it' test "$(get /acme/squid)" == 200
	check '... costs the vendor no second download' wait_until 5 came_is /squid 1
	check 'https goes through it' test "$(get /safe/secret)" == 200
	check '... byte for byte' is_right
	check '... by CONNECT, verified here' test "$(counter upstream.tls_handshakes)-$(counter parent.tunnels)" == 1-1

	check 'it is killed in the middle of a body: the device gets all of it' cut_in_the_middle
	check '... byte for byte' is_right
	check '... the rest straight from the vendor' wait_until 5 grep -q '^http /slow/middle 206$' "$dir/access.log"
	squid_start
	check 'it is back' wait_until 5 state_is good
	stop squid KILL
	check 'it is killed, and the next request does not notice' test "$(get /acme/after)" == 200
	check '... byte for byte' is_right
	check 'it is known to be down' wait_until 5 state_is down
	check '... and requests go straight' test "$(get /acme/straight)" == 200
	check '... which is counted' test "$(counter parent.bypassed)" -ge 1
	check 'https, too' test "$(get /safe/after)" == 200
	squid_start
	check 'it is back' wait_until 5 state_is good
	check '... and asked again' test "$(get /acme/back)" == 200
	check '... really' wait_until 5 grep -q "GET http://127.0.0.9:$origin/back" "$dir/squid/access"
	check "the vendor's own refusal comes through" test "$(get /acme/no/entry)" == 403
	stop squid KILL

	squid_start 'http_access deny all'
	as_parent "http://127.0.0.1:$squid"
	check 'one that lets nobody pass answers' wait_until 5 state_is good
	check '... but the vendor is asked then' test "$(get /acme/denied)" == 200
	check '... byte for byte' is_right
	check '... and the parent rests' wait_until 5 state_is resting
	check 'https through it is refused: straight' test "$(get /safe/denied)" == 200

	with_password
	as_parent "http://127.0.0.1:$squid" -o parent.direct=no -o "parent.vendors=acme"
	check 'not straight, if that is forbidden' test "$(get /acme/forbidden)" == 403
	check '... the vendor hears nothing' came_is /forbidden 0
	check 'who is not among the vendors goes straight' test "$(get /safe/free)" == 200
	check '... not through a tunnel' test "$(counter parent.tunnels)" == 0
	stop squid KILL
}
if type squid >/dev/null 2>&1; then with_squid; else skip 'a Squid as parent' 'no squid here'; fi

# ---- Traffic Server ----------------------------------------------------------------------------------

if ! type traffic_server >/dev/null 2>&1; then
	skip 'a Traffic Server as parent' 'no traffic_server here'
elif ats_start; then
	as_parent "http://127.0.0.1:$nobody,http://127.0.0.1:$ats" -o parent.mode=reverse
	check 'a Traffic Server is found' wait_until 5 state_is good a 1
	check '... and the first of the two is not there' wait_until 5 state_is down a 0
	check 'what it brings is right' test "$(get /acme/ats)" == 200
	check '... byte for byte' is_right
	as_parent "http://127.0.0.1:$nobody,http://127.0.0.1:$ats" -o parent.mode=reverse
	check 'a second box behind it' test "$(get /acme/ats)" == 200
	check '... costs the vendor no second download' wait_until 5 came_is /ats 1
	stop ats KILL
	check 'it is killed, and the next request does not notice' test "$(get /acme/ats2)" == 200
else
	check "a Traffic Server starts: $(tail -n 1 "$dir/ats/out")" false
fi

# ---- nginx, in reverse, that wants a password ---------------------------------------------------------

as_parent "http://127.0.0.1:$reverse" -o parent.mode=reverse -o parent.direct=no -o parent.credentials=box:zyx-wrong
check 'in reverse, with a wrong password' test "$(get /acme/reverse)" == 401
as_parent "http://127.0.0.1:$reverse" -o parent.mode=reverse -o parent.direct=no -o parent.credentials=box:zyx-secret
check '... and the right one' test "$(get /acme/reverse)" == 200
check '... byte for byte' is_right
check "a device's own comes first" test "$(get /acme/own -u device:zyx-other)" == 401

# ---- Tarn --------------------------------------------------------------------------------------------

# What the API says the vendor's bytes were.
from_vendor() { "$here/../tools/wire" stat "$dir/$1" bytes.from_vendor; }
name_is() { [[ $(curl -sS --unix-socket "$dir/$2/run/proxy.sock" http://x/api/v1/status | jq -r .pseudonym) == "$1" ]]; }

for mode in proxy reverse; do
	box b "$port_b"
	as_parent "http://127.0.0.1:$port_b" -o "parent.mode=$mode"
	check "another Tarn is found ($mode)" wait_until 5 state_is good
	check '... by its name' wait_until 5 name_is "$(parent name)" b
	check 'what it brings is right' test "$(get "/acme/tarn-$mode")" == 200
	check '... byte for byte' is_right
	check 'a device of the other box gets it, too' test "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port_b/acme/tarn-$mode")" == 200
	check '... and the vendor has sent it once' wait_until 5 came_is "/tarn-$mode" 1
done

# Each has the other for its parent: two at one vendor, and whoever is asked, it is fetched once. That one goes straight holds
# for six times parent.check after it was seen last: a machine may stand still for a second.
box b "$port_b" -o "parent.servers=http://127.0.0.1:$port_a" -o parent.check=1s
as_parent "http://127.0.0.1:$port_b" -o parent.check=1s
one_is_straight() { [[ $(printf '%s\n' "$(parent state a)" "$(parent state b)" | sort | tr '\n' ' ') == 'good mutual ' ]]; }
check "two that are each other's parent: one goes straight" wait_until 5 one_is_straight
both() { # N: both are asked for it at once
	local other
	curl -s --max-time 20 -o "$dir/got-b" "http://127.0.0.1:$port_b/acme/both-$1" &
	other=$!
	curl -s --max-time 20 -o "$dir/got-a" "http://127.0.0.1:$port_a/acme/both-$1"
	wait "$other"
	cmp "$dir/got-a" "$dir/www/content" && cmp "$dir/got-b" "$dir/www/content"
}
all_right=0
for i in {1..8}; do both "$i" && all_right=$((all_right + 1)); done
check 'both answer at once, byte for byte' test "$all_right" == 8
once() { [[ $(grep -c '^http /both-[0-9]* 200$' "$dir/access.log") == 8 ]]; }
check '... and the vendor has sent each once' wait_until 5 once

# Three in a ring: A asks B, B asks C, C asks A. Whoever is asked first, it is fetched once, and all get it.
box c "$port_c" -o "parent.servers=http://127.0.0.1:$port_a"
box b "$port_b" -o "parent.servers=http://127.0.0.1:$port_c"
as_parent "http://127.0.0.1:$port_b"
all_good() { state_is good a && state_is good b && state_is good c; }
check 'three in a ring find one another' wait_until 5 all_good
around() { # NAME PORT...: they are asked for it, one after the other
	local at
	for at in "${@:2}"; do
		curl -sf --max-time 20 -o "$dir/body" "http://127.0.0.1:$at/acme/$1" && is_right || return 1
	done
}
all_right=0
around ring-1 "$port_a" "$port_b" "$port_c" && all_right=$((all_right + 1))
around ring-2 "$port_b" "$port_c" "$port_a" && all_right=$((all_right + 1))
around ring-3 "$port_c" "$port_a" "$port_b" && all_right=$((all_right + 1))
check 'each of them gets each object, byte for byte' test "$all_right" == 3
ring_once() { [[ $(grep -c '^http /ring-[0-9]* 200$' "$dir/access.log") == 3 ]]; }
check '... and the vendor has sent each once' wait_until 5 ring_once
stop c

as_parent "http://127.0.0.1:$port_a"
check 'one that is its own parent finds out' wait_until 5 state_is loop
check '... and works' test "$(get /acme/own)" == 200
check '... byte for byte' is_right
check '... counted' test "$(counter parent.loops)" == 1

# ---- said --------------------------------------------------------------------------------------------

upstreams() { "$build/bin/tarnctl" -s "$dir/a/run/proxy.sock" -k "$dir/none.sock" upstreams; }
check 'tarnctl upstreams shows it' grep -q "^http://127.0.0.1:$port_a  *proxy  *loop .*it leads back here" <(upstreams)
says_why() { # URL WORDS
	"$build/bin/tarnctl" -s "$dir/a/run/proxy.sock" -k "$dir/none.sock" why "$1" >"$dir/why" 2>&1
	cat "$dir/why"
	grep -q -- "$2" "$dir/why"
}
check 'why says that no parent is well' says_why http://127.0.0.9:$origin/x 'no parent is well: the vendor itself is asked'
box b "$port_b"
as_parent "http://127.0.0.1:$port_b" -o parent.vendors=acme
check '... or which one is asked' says_why http://127.0.0.9:$origin/x "is asked of http://127.0.0.1:$port_b"
check '... or that there is none for this vendor' says_why https://127.0.0.10:$tls/x 'no parent is for this vendor'
wrong() { "$build/bin/tarn-proxy" --check -o "parent.servers=$1" 2>&1; }
for text in 192.0.2.1:3128 ftp://192.0.2.1 http://a_b http://192.0.2.1:0 'http://[192.0.2.1]' http://x/path; do
	refuse "not a parent: $text" wrong "$text"
done
done_testing
