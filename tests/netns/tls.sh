#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# TLS in bridge mode (the topology of lib.sh), with real clients and a real TLS server as the vendor: it is looked
# at, counted, and carried through; refused where the profile says so, and nowhere else.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

PROXY=$BUILD/bin/tarn-proxy
HOST=mirror.vendor.example
topology bridge
config 'lan = lan0' 'wan = wan0'
cat >>"$work/tarn.conf" <<END
[dns]
servers = 198.51.100.53
probe_interval = 1s
timeout = 300ms
[admin]
listen = 127.0.0.1:8443
[proxy]
listen_tls = 127.0.0.1:9443
END
head -c 3000000 /dev/urandom >"$work/files/big"
touch -d '10 days ago' "$work/files/big"

# The vendor's 443 speaks TLS.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=vendor -days 2 \
	-addext "subjectAltName=DNS:$HOST,DNS:*.vendor.example,DNS:other.example" \
	-keyout "$work/vendor.key" -out "$work/vendor.crt" 2>/dev/null
sed -i -e "s|listen \(.*443\) |listen \1 ssl |" \
	-e "s|access_log off;|access_log off; ssl_certificate $work/vendor.crt; ssl_certificate_key $work/vendor.key; ssl_protocols TLSv1.2 TLSv1.3;|" \
	"$work/nginx.conf"
kill "${children[0]}"
wait "${children[0]}" 2>/dev/null
ip netns exec "$(ns vendor)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)
check 'the vendor speaks TLS' wait_until 10 in_ns vendor curl -sfk -o /dev/null https://198.51.100.10/

# ask_tls DEVICE HOST [CURL OPTION...]: /files/big from HOST at the vendor's address, its certificate verified.
ask_tls() {
	local device=$1 host=$2
	shift 2
	in_ns "$device" curl -sS --noproxy '*' --max-time 10 --cacert "$work/vendor.crt" \
		--resolve "$host:443:198.51.100.10" "$@" "https://$host/files/big"
}
same() { ask_tls "$@" | cmp - "$work/files/big"; }
api() { curl -sf --max-time 5 --unix-socket "$work/proxy.sock" "http://tarn$1"; }
stat() { api /api/v1/stat | jq -r ".counters[] | select(.name == \"$1\").value"; }
stat_is() { [[ $(stat "$1") == "$2" ]]; }
# counts REASON COMMAND...: COMMAND succeeds, and one more connection is decided for REASON.
counts() {
	local before
	before=$(stat "tls.decided.$1")
	"${@:2}" && wait_until 5 stat_is "tls.decided.$1" $((before + 1))
}
ctl() { "$BUILD/bin/tarnctl" --config "$work/tarn.conf" "$@"; }

tarnd_start
check 'the bridge is there' wait_until 10 in_ns box ip link show br0
addr box br0 10.7.0.2/24 2001:db8:7::2/64
via box 10.7.0.1 2001:db8:7::1
check 'tarnd arms interception' wait_until 15 armed || { logs_show; status .; }
steered() { stat_is sniff.tls 0 && ask_tls dev1 "$HOST" -o /dev/null; ! stat_is sniff.tls 0; }
check 'TLS to the vendor is steered' wait_until 5 steered

# ---- carried through ---------------------------------------------------------------------------

check 'a device gets every byte, and the vendor'"'"'s own certificate' counts mode_splice same dev1 "$HOST"
check 'over IPv6' counts mode_splice eval "in_ns dev1 curl -sS --noproxy '*' --max-time 10 --cacert \
	$work/vendor.crt --resolve '$HOST:443:[2001:db8:51::10]' https://$HOST/files/big |
	cmp - $work/files/big"
check 'with TLS 1.2 only' counts mode_splice same dev1 "$HOST" --tls-max 1.2
check 'with TLS 1.3 only' counts mode_splice same dev1 "$HOST" --tlsv1.3
check 'a host of nobody' counts foreign_host same dev1 other.example
check 'a host that is never to be touched' counts never_host same dev1 secret.vendor.example

# s_client OPTION...: a request by openssl; some of the response.
s_client() {
	printf 'GET / HTTP/1.0\r\n\r\n' | in_ns dev1 timeout 5 openssl s_client -quiet \
		-connect 198.51.100.10:443 "$@" 2>/dev/null | grep -q ^DIRECT
}
check 'a hello without a name' counts no_name s_client -noservername
check 'a name with a wildcard' counts odd_name s_client -servername '*.vendor.example'
check 'an address as a name' counts odd_name s_client -servername 198.51.100.10
if command -v gnutls-cli >/dev/null; then
	gnutls() {
		printf 'GET / HTTP/1.0\r\n\r\n' | in_ns dev1 timeout 5 gnutls-cli --insecure \
			--sni-hostname="$HOST" -p 443 198.51.100.10 2>&1 | grep -q ^DIRECT
	}
	check 'GnuTLS' counts mode_splice gnutls
else
	skip 'GnuTLS' 'no gnutls-cli'
fi
raw() { # BYTES: what the vendor says to them
	in_ns dev1 timeout 5 bash -c '
		exec 3<>/dev/tcp/198.51.100.10/443
		printf "$1" >&3
		cat <&3' - "$1" | xxd -p
}
# The vendor's TLS alert (record type 0x15) is what comes back.
check 'what only begins as TLS does' counts not_hello \
	eval '[[ $(raw "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03") == 15* ]]'

as_sslv2() { # with the suites of then, no SNI
	[[ $(raw '\x80\x2e\x01\x03\x03\x00\x15\x00\x00\x00\x10\x00\x00\x2f\x00\x00\x35\x00\x00\x3c\x00\xc0\x2b\x00\xc0\x2f\x00\xc0\x23\x00\x00\xffABCDEFGHIJKLMNOP') == 1[56]* ]]
}
others=$(stat sniff.other)
check 'a hello as of SSLv2 is the vendor'"'"'s to answer' as_sslv2
check 'and counted' wait_until 5 stat_is sniff.other $((others + 1))
large() { # N: a hello with so many protocols beside ours
	local list=http/1.1 i
	for ((i = 0; i < $1; i++)); do list+=,$(printf '%0200d' "$i"); done
	s_client -servername "$HOST" -alpn "$list"
}
check 'a hello of 4 KiB, as with post-quantum key shares, is read' counts mode_splice large 20
check 'one of 20 KiB is not, and passes' counts too_large large 100

# dripped BYTES MS: the download through drip, which is slow with the hello.
dripped() {
	local drip status
	in_ns dev1 "$tools/drip" 4433 198.51.100.10 443 "$1" "$2" >"$work/drip" &
	drip=$!
	wait_until 5 grep -q ready "$work/drip"
	in_ns dev1 curl -sS --noproxy '*' --max-time 20 --cacert "$work/vendor.crt" \
		--connect-to "$HOST:443:127.0.0.1:4433" "https://$HOST/files/big" |
		cmp - "$work/files/big"
	status=$?
	wait "$drip"
	return "$status"
}
check 'a hello in twenty segments is read' counts mode_splice dripped 30 2
check 'one that drips in is not waited for' counts slow dripped 20 30

# fastest HOST ADDRESS: milliseconds until the handshake is over, the best of nine.
fastest() {
	local _
	for _ in {1..9}; do
		in_ns dev1 curl -sSk --noproxy '*' --max-time 10 --resolve "$1:443:$2" -o /dev/null \
			-w '%{time_appconnect}\n' "https://$1/"
	done | sort -n | awk 'NR == 1 { printf "%d", $1 * 1000 }'
}
direct=$(fastest other.example 198.51.100.30)
through=$(fastest "$HOST" 198.51.100.10)
echo "# handshake: $direct ms past the box, $through ms through it"
check 'looking does not wait: far below sniff_wait' test $((through - direct)) -lt 100

# ---- seen --------------------------------------------------------------------------------------

check 'the status says how many bytes were not cached' \
	eval "[[ \$(api /api/v1/status | jq '.tls.bytes_down > 15000000') == true ]]"
check 'and of which host' eval "[[ \$(api /api/v1/status | jq -r '.tls.hosts[0] |
	\"\(.host) \(.vendor) \(.mode) \(.refused)\"') == '$HOST example splice 0' ]]"
check 'hosts that are not the vendor'"'"'s to cache are not listed' \
	eval "! api /api/v1/status | grep -qE 'other.example|secret.vendor'"
check 'tarnctl shows it' eval "ctl status | grep -q '^HTTPS  .* uncached in .* 0 refused'"

# ---- refused -----------------------------------------------------------------------------------

printf '[tls]\nmode = refuse\n' >>"$work/vendors/example.conf"
reloads=$(stat config.reloads)
kill -HUP "$(proxy_pid)"
check 'the profile now refuses' wait_until 5 stat_is config.reloads $((reloads + 1))
refused() { # by a reset, at once
	local out
	out=$(ask_tls dev1 "$1" -o /dev/null -w '\n%{time_total}' 2>&1) && return 1
	echo "$out"
	[[ $out == *reset* ]] && awk 'END { exit $1 > 0.25 }' <<<"$out"
}
check 'TLS to the vendor is reset at once' counts mode_refuse refused $HOST
check 'to a name below a suffix, too' counts mode_refuse refused new.vendor.example
fallback() {
	ask_tls dev2 "$HOST" -o /dev/null 2>/dev/null || in_ns dev2 curl -sS --noproxy '*' \
		--max-time 10 --resolve "$HOST:80:198.51.100.10" "http://$HOST/files/big" |
		cmp - "$work/files/big"
}
check 'a device that falls back to HTTP is served' fallback
check 'and finds the cache' eval "fallback && (($(stat request.hit) < \$(stat request.hit)))"
check 'a host of nobody passes' counts foreign_host same dev1 other.example
check 'a never host passes' counts never_host same dev1 secret.vendor.example
check 'a hello without a name passes' counts no_name s_client -noservername
check 'one that drips in passes' counts slow dripped 20 30
check 'one in twenty segments is refused' eval '! dripped 30 2'
check 'the status says so' eval "[[ \$(api /api/v1/status | jq -r '.tls.hosts[] |
	select(.host == \"new.vendor.example\") | \"\(.mode) \(.refused) \(.bytes_down)\"') == 'refuse 1 0' ]]"
check 'tarnctl, too' eval "ctl status | grep -qE '^ +$HOST: .*, [1-9][0-9]* refused, mode refuse'"
check 'tarnctl why foretells it' eval "ctl why https://$HOST/ | grep -q '^Decision  *refuse: reset at once'"
check 'and what passes' eval "ctl why https://secret.vendor.example/ | grep -q '^Decision  *splice: '"

# ---- a flood of hellos that never end ----------------------------------------------------------

# 400 connections with half a hello: more than the workers look at.
printf '[proxy]\nsniff_wait = 3s\n' >>"$work/tarn.conf"
reloads=$(stat config.reloads)
kill -HUP "$(proxy_pid)"
check 'sniff_wait is longer now' wait_until 5 stat_is config.reloads $((reloads + 1))
flood() {
	local slow busy
	slow=$(stat tls.decided.slow)
	busy=$(stat tls.decided.busy)
	mkfifo "$work/flood"
	in_ns dev1 bash -c '
		ulimit -n 1024
		for _ in {1..400}; do
			exec {fd}<>/dev/tcp/198.51.100.10/443
			printf "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" >&"$fd"
		done
		read -rt 20 <"$1"' - "$work/flood" &
	wait_until 10 eval "((\$(stat tls.decided.busy) > $busy))" || return 1
	echo '# half hellos: '"$(($(stat tls.decided.busy) - busy)) not looked at"
	same dev2 other.example || return 1
	# All that were looked at are let go when their time is over.
	wait_until 10 eval "((\$(stat tls.decided.slow) + \$(stat tls.decided.busy) >= $slow + $busy + 400))" ||
		return 1
	echo >"$work/flood"
	wait $!
}
check 'a flood of half hellos is carried through, and others with it' flood
check 'after it hellos are looked at again' counts foreign_host same dev1 other.example

# ---- the admin page's certificate -----------------------------------------------------------------

# page NAME [CURL OPTION]...: the admin page, called so, is whom the CA speaks for.
page() {
	in_ns box curl -sS -o /dev/null --max-time 5 --cacert "$work/state/ca.crt" \
		--connect-to "::127.0.0.1:8443" "${@:2}" "https://$1/"
}
check 'who trusts the CA trusts the admin page under its name' wait_until 10 page tarn.internal
check 'with GnuTLS, too' in_ns box sh -c "gnutls-cli --x509cafile $work/state/ca.crt \
	--sni-hostname tarn.internal --verify-hostname tarn.internal -p 8443 127.0.0.1 </dev/null"
refuse 'not under an address: there it signs itself' page 127.0.0.1:8443
check 'which still serves who says so' page 127.0.0.1:8443 -k
refuse 'nor under a name that the CA may not speak for' page tarn.local

# ---- an update source by HTTPS --------------------------------------------------------------------

# source_tls NAME PATH [CURL OPTION]...
source_tls() {
	in_ns box curl -sSf --noproxy '*' --max-time 5 --cacert "$work/state/ca.crt" \
		--connect-to "::127.0.0.1:9443" "${@:3}" "https://$1$2"
}
cut() { stat tls.source_refused; }
check 'an update source by HTTPS, for who trusts the CA' wait_until 10 eval \
	"source_tls tarn.internal /example/files/big | cmp -s - $work/files/big"
check 'out of the cache' eval "(($(stat request.hit) < \$(source_tls tarn.internal /example/files/big | cmp - $work/files/big && stat request.hit)))"
check 'a range of it' eval "source_tls tarn.internal /example/files/big -r 5-99 | cmp - <(head -c 100 $work/files/big | tail -c 95)"
refuse 'of no other vendor' source_tls tarn.internal /other/files/big
refuse 'not as a proxy' source_tls tarn.internal / --request-target "http://$HOST/files/big"
refuse 'not without the CA' in_ns box curl -sS --connect-to "::127.0.0.1:9443" https://tarn.internal/example/files/big
before=$(cut)
refuse 'not under a name that is not the box'"'"'s' source_tls $HOST /files/big
refuse 'not under one that the CA may not speak for' source_tls tarn.local /example/files/big
refuse 'not under an address' source_tls 127.0.0.1:9443 /example/files/big
refuse 'not in clear' in_ns box curl -sS --max-time 5 http://127.0.0.1:9443/example/files/big
check 'each of which is counted' test "$(cut)" -eq $((before + 4))

tarnd_stop
check 'tarnd ends with status 0' test "$tarnd_status" -eq 0
done_testing
