#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# TLS to the vendor: real nginx at 127.0.0.9, one server a host, each with a certificate of its own.
#
#	curl --> tarn-proxy :PORT /NAME/... --> https://NAME.test:TLS/..., whose address dnsmasq tells
#
# What is valid is fetched, collapsed, resumed and stored as over http; every fault of a certificate is a 502 that
# says which one, has its counter, and sends nothing to whoever is there.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
clear=$origin tls=$((port + 2)) old=$((port + 3)) twelve=$((port + 4)) dns=$((port + 5)) cut=$((port + 6)) drip=$((port + 7))
mkdir -p "$dir/pki" "$dir/www" "$dir/vendors"

# ---- certificates ---------------------------------------------------------------------------------

cat >"$dir/pki/ca.conf" <<END
[ca]
default_ca = d
[d]
database = $dir/pki/index
new_certs_dir = $dir/pki
default_md = sha256
policy = p
unique_subject = no
rand_serial = yes
copy_extensions = copy
x509_extensions = x
[p]
commonName = supplied
[x]
basicConstraints = critical,CA:FALSE
[req]
distinguished_name = n
[n]
END
: >"$dir/pki/index"
days() { date -u -d "$1 days" +%y%m%d%H%M%SZ; }
# authority NAME
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
		-keyout "$dir/pki/$1.key" -out "$dir/pki/$1.pem" 2>/dev/null
}
# leaf NAME SAN FROM TO [AUTHORITY [KEY [EXTENSION]]]
leaf() {
	local name=$1 key=${6:-ec} extra=()
	local kind=(-newkey ec -pkeyopt ec_paramgen_curve:P-256)
	[[ $key == ec ]] || kind=(-newkey "$key")
	[[ -z ${7:-} ]] || extra=(-addext "$7")
	openssl req -new "${kind[@]}" -nodes -subj "/CN=$name" -addext "subjectAltName=$2" \
		"${extra[@]}" -keyout "$dir/pki/$name.key" -out "$dir/pki/$name.csr" 2>/dev/null
	openssl ca -batch -config "$dir/pki/ca.conf" -cert "$dir/pki/${5:-ca}.pem" \
		-keyfile "$dir/pki/${5:-ca}.key" -in "$dir/pki/$name.csr" -out "$dir/pki/$name.pem" \
		-startdate "$(days "$3")" -enddate "$(days "$4")" -notext 2>/dev/null
}
# staple NAME [-ndays N...]: what the authority says of it now.
staple() {
	local name=$1
	shift
	openssl ocsp -issuer "$dir/pki/ca.pem" -cert "$dir/pki/$name.pem" -reqout "$dir/pki/$name.req" \
		-no_nonce 2>/dev/null
	openssl ocsp -index "$dir/pki/index" -CA "$dir/pki/ca.pem" -rsigner "$dir/pki/ca.pem" \
		-rkey "$dir/pki/ca.key" -reqin "$dir/pki/$name.req" -respout "$dir/pki/$name.ocsp" \
		"$@" >/dev/null 2>&1
}

authority ca
authority other
must='tlsfeature=status_request'
leaf good DNS:good.test -1 20
leaf expired DNS:expired.test -9 -2
leaf early DNS:early.test 2 9
leaf name DNS:another.test -1 20
leaf stranger DNS:stranger.test -1 20 other
leaf own DNS:own.test -1 20 other
leaf weak DNS:weak.test -1 20 ca rsa:1024
leaf stapled DNS:stapled.test -1 20 ca ec "$must"
leaf bare DNS:bare.test -1 20 ca ec "$must"
leaf revoked DNS:revoked.test -1 20 ca ec "$must"
leaf gone DNS:gone.test -1 20
leaf foreign DNS:foreign.test -1 20 ca ec "$must"
leaf old DNS:old.test -1 20
leaf twelve DNS:twelve.test -1 20
leaf asks DNS:asks.test -1 20
leaf ahead DNS:ahead.test -1 20
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=self.test \
	-addext subjectAltName=DNS:self.test -keyout "$dir/pki/self.key" -out "$dir/pki/self.pem" 2>/dev/null
for name in revoked gone; do
	openssl ca -config "$dir/pki/ca.conf" -cert "$dir/pki/ca.pem" -keyfile "$dir/pki/ca.key" \
		-revoke "$dir/pki/$name.pem" 2>/dev/null
done
staple stapled -ndays 7
staple revoked -ndays 7
staple gone -ndays 7
cp "$dir/pki/stapled.ocsp" "$dir/pki/foreign.ocsp" # of another certificate
cp "$dir/pki/ca.pem" "$dir/vendors/system.pem"
cp "$dir/pki/other.pem" "$dir/vendors/own.pem"

# ---- the vendor -----------------------------------------------------------------------------------

head -c 3000000 /dev/urandom >"$dir/www/big.bin"
head -c 5000 /dev/urandom >"$dir/www/small.bin"
echo '<p>hello</p>' >"$dir/www/until_close.html"
# server NAME [LINE]...: https://NAME.test
server() {
	echo "server { listen 127.0.0.9:${at:-$tls} ssl; server_name $1.test; root $dir/www;"
	echo "ssl_certificate $dir/pki/$1.pem; ssl_certificate_key $dir/pki/$1.key;"
	printf '%s\n' "${@:2}"
	echo "add_header Cache-Control max-age=600; location = /until_close.html { ssi on; chunked_transfer_encoding off; } }"
}
stapling() { echo "ssl_stapling on; ssl_stapling_file $dir/pki/$1.ocsp;"; }
{
	echo "daemon off; pid $dir/nginx.pid; error_log $dir/error.log info; worker_processes 1;"
	[[ $(id -u) != 0 ]] || echo 'user root;'
	echo "events { } http { log_format one '\$server_name \$request_uri \$status \$http_range \$ssl_protocol \$ssl_session_reused \$connection';"
	echo "access_log $dir/access.log one; limit_rate_after 500k; limit_rate 4m; keepalive_timeout 20;"
	echo 'ssl_protocols TLSv1.2 TLSv1.3;'
	for name in proxy fastcgi client_body uwsgi scgi; do echo "${name}_temp_path $dir/tmp.$name;"; done
	server good
	server ahead
	for name in expired early name self stranger own bare; do server "$name"; done
	at=$twelve server twelve 'ssl_protocols TLSv1.2;'
	server weak 'ssl_ciphers DEFAULT@SECLEVEL=0;'
	for name in stapled revoked gone foreign; do server "$name" "$(stapling "$name")"; done
	server asks "ssl_client_certificate $dir/pki/ca.pem; ssl_verify_client on;"
	at=$old server old 'ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;'
	echo "server { listen 127.0.0.9:$clear; root $dir/www; add_header Cache-Control max-age=600; }"
	echo '}'
} >"$dir/nginx.conf"
nginx -c "$dir/nginx.conf" -e "$dir/error.log" 2>"$dir/nginx.err" &
pids[nginx]=$!
dnsmasq -k -p "$dns" -i lo --listen-address=127.0.0.1 --bind-interfaces -R -h -C /dev/null \
	--address=/test/127.0.0.9 --pid-file="$dir/dns.pid" 2>"$dir/dns.log" &
pids[dns]=$!

# profile NAME PORT [LINE]...
profile() {
	{
		printf '[vendor]\nname = %s\nsource = %s.test:%s\n' "$1" "${host:-$1}" "$2"
		printf '%s\n' "${vendor:-upstream = https}" '[hosts]' "exact = ${host:-$1}.test"
		printf '%s\n' "${@:3}"
	} >"$dir/vendors/$1.conf"
}
names=(good expired early name self stranger weak stapled bare revoked gone foreign asks)
for name in "${names[@]}"; do profile "$name" "$tls"; done
profile old "$old"
profile twelve "$twelve"
profile plain "$clear"
profile cut "$cut"
profile drip "$drip"
profile own "$tls" '[tls]' "ca_file = $dir/vendors/own.pem"
profile ahead "$tls" '[class index]' 'path = /**/index.lst' '[class object]' 'path = /**' '[sync]' 'ahead = yes' \
	'[index list]' 'path = /**/index.lst' 'format = lines' 'line = {digest} {size} {path} {name}' 'base = host'

wait_until 10 curl -s -o /dev/null "http://127.0.0.9:$clear/small.bin" || { cat "$dir/error.log"; exit 1; }
box_start -o "upstream.ca_file=$dir/vendors/system.pem" \
	-o "dns.servers=127.0.0.1:$dns" -o dns.public=no -o steer.allow_private_vendor=yes -o upstream.connect_timeout=4s -o upstream.idle_timeout=20s

# get PATH [CURL OPTION]...: headers in $dir/head, body in $dir/body; prints the status.
get() { curl -s --max-time 10 -D "$dir/head" -o "$dir/body" -w '%{http_code}' "${@:2}" "http://127.0.0.1:$port$1"; }
counter() { wire stat "$1"; }
# asked NAME: requests that the vendor has seen for that host.
asked() { grep -c "^$1.test " "$dir/access.log"; }
header_has() { grep -qi "$1" "$dir/head" || { cat "$dir/head"; false; }; }

# ---- what is right --------------------------------------------------------------------------------

check 'a vendor with a good certificate is fetched from' test "$(get /good/small.bin)" == 200
check 'byte for byte' cmp "$dir/body" "$dir/www/small.bin"
check 'what came is stored' test "$(get /good/small.bin)" == 200
check 'and answers the next' header_has 'Cache-Status:.*; hit'
check 'the vendor was asked once' test "$(asked good)" == 1
check 'a handshake, in which all was verified' test "$(counter upstream.tls_handshakes)" == 1
check 'TLS 1.3' wait_until 5 grep -q '^good.test .* TLSv1.3' "$dir/access.log"
check 'a part is a part' test "$(get /good/big.bin -r 1000000-1999999)" == 206
check 'the right one' cmp "$dir/body" <(tail -c +1000001 "$dir/www/big.bin" | head -c 1000000)
check 'on the same connection' test "$(awk '$1 == "good.test" { print $NF }' "$dir/access.log" | sort -u | wc -l)" == 1
check 'from the pool' test "$(counter upstream.reused)" -ge 1
check 'a certificate that the profile itself vouches for' test "$(get /own/small.bin)" == 200
check 'a stapled response, where there must be one' test "$(get /stapled/small.bin)" == 200
check 'a body that ends with the connection, which TLS has ended' test "$(get /good/until_close.html)" == 200
check 'is whole, and stored' eval "get /good/until_close.html >/dev/null; header_has 'Cache-Status:.*; hit'"
# That connection is closed: it or the next one resumes a session.
head -c 9000 /dev/urandom >"$dir/www/next.bin"
check 'the next connection' test "$(get /good/next.bin)" == 200
check 'resumes a session' test "$(counter upstream.tls_resumed)" -ge 1
# Which of the two takes the connection that was open depends on whether the large one has ended by then.
check 'as the vendor sees it' wait_until 5 grep -q '^good.test .* r [0-9]*$' "$dir/access.log"

check 'TLS 1.2, where that is all there is' test "$(get /twelve/until_close.html)" == 200
check 'whose sessions are resumed, too' eval "get /twelve/next.bin >/dev/null; grep -q '^twelve.test /next.bin .* TLSv1.2 r ' '$dir/access.log'"

# ---- many at once ---------------------------------------------------------------------------------

head -c 1500000 /dev/urandom >"$dir/www/herd.bin"
herd() {
	local i each=()
	for ((i = 0; i < 50; i++)); do
		each+=(-o "$dir/herd.$i" "http://127.0.0.1:$port/good/herd.bin")
	done
	curl -s --max-time 40 -Z --parallel-immediate --parallel-max 50 "${each[@]}" || return 1
	for ((i = 0; i < 50; i++)); do cmp "$dir/herd.$i" "$dir/www/herd.bin" || return 1; done
}
check '50 devices get one cold object' herd
check 'that the vendor sends once' test "$(grep -c '^good.test /herd.bin' "$dir/access.log")" == 1

# ---- what is wrong --------------------------------------------------------------------------------

# wrong NAME REASON: refused, and said why; nothing sent to whoever is there.
reasons=()
wrong() {
	reasons+=("$2")
	check "$1: 502" test "$(get "/$1/small.bin")" == 502
	check "$1: Cache-Status says why" header_has "detail=tls_$2"
	check "$1: the vendor's side was sent nothing" test "$(asked "$1")" == 0
}
wrong expired expired
wrong early not_yet_valid
wrong name wrong_name
wrong self self_signed
wrong stranger unknown_ca
wrong weak weak
wrong bare no_staple
wrong revoked revoked
wrong gone revoked
wrong foreign bad_staple
wrong old version
wrong plain protocol
counters() { curl -s --unix-socket "$dir/run/proxy.sock" http://x/api/v1/stat; }
is_counted() {
	local reason
	for reason in "${reasons[@]}"; do
		jq -e --arg name "upstream.tls_refused.$reason" '.counters[] | select(.name == $name) | .value > 0' \
			"$dir/counters" >/dev/null || { echo "$reason"; return 1; }
	done
}
counters >"$dir/counters"
check 'each is counted by its reason' is_counted
check 'a fault is told to the administrator' grep -q 'upstream.certificate_bad host=expired.test' "$dir/proxy.log"
check 'who wants a certificate of ours gets none, and his answer is passed on' test "$(get /asks/small.bin)" == 400
check 'https in clear to the explicit proxy is refused' \
	test "$(curl -s -o /dev/null -w '%{http_code}' -x "http://127.0.0.1:$port" --request-target "https://good.test/small.bin" "http://good.test/small.bin")" == 501
check 'and counted' test "$(counter request.https_refused)" == 1

# ---- ahead ----------------------------------------------------------------------------------------

api() { curl -sS --max-time 10 --unix-socket "$dir/run/proxy.sock" "http://tarn/api/v1/$1" "${@:2}"; }
# generation DATE: an object that is new, and the index that names it; nginx makes an ETag of date and size alone.
generation() {
	head -c 50000 /dev/urandom >"$dir/www/ahead/object"
	printf '%s 50000 /ahead/object object\n' "$(sha256sum "$dir/www/ahead/object" | cut -d ' ' -f 1)" >"$dir/www/ahead/index.lst"
	touch -d "$1" "$dir/www/ahead/object" "$dir/www/ahead/index.lst"
}
devices_have() { get /ahead/ahead/index.lst && cmp "$dir/body" "$dir/www/ahead/index.lst" &&
	get /ahead/ahead/object && cmp "$dir/body" "$dir/www/ahead/object"; }
sent() { grep -c '^ahead.test /ahead/object 200 ' "$dir/access.log"; }
is_ahead() { api sync | jq -e '.history[-1].result == "done"' && [[ $(sent) == 2 ]]; }
mkdir "$dir/www/ahead"
generation 2026-01-01
check 'a device has what its index names' devices_have
generation 2026-01-02
check 'fetching ahead is begun' api sync -H 'Content-Type: application/json' -d '{"action": "now", "profile": "ahead"}'
check 'over TLS what is new comes before a device asks' wait_until 20 is_ahead
check 'which gets it' devices_have
check 'from the store' header_has 'Cache-Status:.*; hit'
check 'the vendor has sent each once' test "$(sent)" == 2

# ---- what is cut ----------------------------------------------------------------------------------

# A response that ends with the connection, and a connection that just ends: not with TLS's own end.
cut_once() {
	rm -f "$dir/body"
	mkfifo "$dir/cut.in"
	openssl s_server -quiet -accept "127.0.0.9:$cut" -cert "$dir/pki/cut.pem" -key "$dir/pki/cut.key" \
		<"$dir/cut.in" >"$dir/cut.out" 2>"$dir/cut.err" &
	local server=$!
	exec 9>"$dir/cut.in"
	wait_until 5 eval "ss -ltn | grep -q '127.0.0.9:$cut '"
	curl -sN --max-time 10 -o "$dir/body" "http://127.0.0.1:$port/cut/small.bin" &
	local device=$!
	wait_until 5 grep -q GET "$dir/cut.out"
	printf 'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nConnection: close\r\n\r\n' >&9
	head -c 3000 "$dir/www/small.bin" >&9
	wait_until 5 test -s "$dir/body"
	kill -9 "$server"
	exec 9>&-
	wait "$device"
	echo "curl: $?"
	wait "$server" 2>/dev/null
	true
}
leaf cut DNS:cut.test -1 20
check 'a vendor that is cut off in the middle' cut_once
check 'is noticed' test "$(counter upstream.tls_cut)" -ge 1
wire idle
check 'and not stored' test "$(get /cut/small.bin)" == 502

# ---- a file of the world, for root here (tarnctl update URL) ------------------------------------------

# fetch URL [FROM ETAG]: $dir/line and $dir/bytes; prints the status of the API's answer.
fetch() {
	local more=()
	[[ -z ${2:-} ]] || more=(--data-urlencode "from=$2" --data-urlencode "match=$3")
	curl -s --max-time 20 --unix-socket "$dir/run/proxy.sock" -G --data-urlencode "url=$1" "${more[@]}" -o "$dir/answer" \
		-w '%{http_code}' http://x/api/v1/download
	head -n 1 "$dir/answer" >"$dir/line"
	tail -n +2 "$dir/answer" >"$dir/bytes"
}
says() { jq -e "$1" "$dir/line" >/dev/null || { cat "$dir/line"; false; }; }
check 'a file is fetched for root, of no vendor' test "$(fetch "https://good.test:$tls/big.bin")" = 200
check '... whole' cmp "$dir/bytes" "$dir/www/big.bin"
check '... its size and tag are told' says '.status == 200 and .size == 3000000 and .from == 0 and (.etag | startswith("\""))'
tag=$(jq -r .etag "$dir/line")
check 'the rest of it is' test "$(fetch "https://good.test:$tls/big.bin" 2000000 "$tag")" = 200
check '... from there on' eval 'tail -c +2000001 "$dir/www/big.bin" | cmp - "$dir/bytes"'
check '... as a part' says '.status == 206 and .size == 3000000 and .from == 2000000'
check 'of a file that is another now' test "$(fetch "http://plain.test:$clear/small.bin" 1000 "$tag")" = 200
check '... all comes, not a part' cmp "$dir/bytes" "$dir/www/small.bin"
check 'one that is not there' test "$(fetch "http://plain.test:$clear/none")" = 200
check '... says so' says '.status == 404 and .size == -1'
unfetched() { # STATUS WORD URL [FROM ETAG]
	[[ $(fetch "${@:3}") == "$1" && $(jq -r .error "$dir/answer") == "$2" ]] || { cat "$dir/answer"; false; }
}
check 'from whom nobody vouches for nothing is taken' unfetched 503 tls_self_signed "https://self.test:$tls/big.bin"
check '... nor with an expired certificate' unfetched 503 tls_expired "https://expired.test:$tls/big.bin"
check '... nor where it ends is not said' unfetched 503 no_length "https://good.test:$tls/until_close.html"
check 'a name that is not there' unfetched 503 no_connection 'https://nowhere.invalid/'
check 'a file of this machine is no URL' unfetched 400 bad_url file:///etc/shadow
check 'a line break in it is refused' unfetched 400 bad_url $'http://plain.test/a\r\nHost: x'
check 'half a file without its tag is' unfetched 400 bad_match "http://plain.test:$clear/small.bin" 5 'W/"1"'
check 'nothing of it is stored' test "$(counter admin.downloads)" = 4

# tarnctl as root of an appliance whose pid 1 says that 2.0 runs.
if [[ $(id -u) == 0 ]] && unshare -m true 2>/dev/null; then
	mkdir "$dir/fleet"
	echo '{"version": "2.0", "factory": "1.0", "on_trial": false, "slots": []}' >"$dir/appliance.json"
	printf 'TARN-CHANNEL 1\nversion=2.1\namd64=%s\narm64=%s\nshare=100\n' "https://good.test:$tls/big.bin"{,} >"$dir/www/channel"
	printf '[cache]\npath = %s/fleet\n[update]\nchannel = https://good.test:%s/channel\n' "$dir" "$tls" >"$dir/fleet.conf"
	# shellcheck disable=SC2016 # the inner shell's
	box() { unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/tarn && cp "$1" /run/tarn/appliance.json && shift && exec "$@"' \
		box "$dir/appliance.json" "$build/bin/tarnctl" -s "$dir/run/proxy.sock" -c "$dir/fleet.conf" --json "$@" 2>>"$dir/box.log"; }
	channel() { box channel | tee "$dir/channel.said"; jq -e "$1" "$dir/channel.said" >/dev/null; }
	check 'the channel has something for this box' channel '.take and .version == "2.1"'
	sed -i 's/share=.*/share=0/' "$dir/www/channel"
	check 'not while others are first' channel '(.take | not) and .text == "other boxes are first"'
	update() { box update "https://good.test:$tls/$1" | tee "$dir/update.said"; jq -e "$2" "$dir/update.said" >/dev/null; }
	check 'an update that nobody signed is not fetched to its end' update big.bin '.fate == "not-an-update"'
	check 'one that is not there is refused' update none '.fate == "not-fetched" and .detail == "the server says 404"'
	check 'nothing is left of either' test -z "$(ls "$dir/fleet")"
else
	skip 'tarnctl update URL, tarnctl channel' 'needs root and a mount namespace'
fi

# ---- what drips -----------------------------------------------------------------------------------

# A vendor whose handshake goes on, a byte at a time: connect_timeout is for all of it.
dripping() {
	wait_until 5 eval "ss -ltn | grep -q '127.0.0.9:$drip '" || return 1
	[[ $(get /drip/small.bin --max-time 40) == 50[24] ]] && (($(counter upstream.tls_refused.timeout) > 0))
}
if command -v python3 >/dev/null; then
	python3 - "$drip" >"$dir/drip.log" 2>&1 <<-'END' &
		import socket, sys, threading, time
		def serve(c):
		    try:
		        c.recv(65536)
		        c.sendall(b'\x16\3\3\x3e\x80')  # a record of 16000 bytes
		        while c.send(b'\2'):
		            time.sleep(0.1)
		    except OSError:
		        pass
		s = socket.create_server(('127.0.0.9', int(sys.argv[1])))
		while True:
		    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
	END
	pids[drip]=$!
	check 'a vendor that drips its handshake is given up in time' dripping
else
	skip 'a vendor that drips its handshake' 'no python3'
fi

done_testing
