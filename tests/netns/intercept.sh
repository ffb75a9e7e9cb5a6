#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 360
#
# TLS that ends here, in bridge mode (the topology of lib.sh), with real clients and nginx with TLS as the vendor: devices
# that trust the box's certificate find the cache; those that do not lose one connection at most, ever.
# HOST is one word, and the rest of what is not quoted, too:
# shellcheck disable=SC2086
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

# shellcheck source=tests/netns/vendor_tls.sh
. "$(dirname "$0")/vendor_tls.sh"

# ask DEVICE CA HOST FILE [CURL OPTION...]
ask() {
	local device=$1 ca=$2 host=$3 file=$4
	shift 4
	in_ns "$device" curl -sS --noproxy '*' --max-time 10 --cacert "$ca" \
		--resolve "$host:443:198.51.100.10" "$@" "https://$host/files/$file"
}
# Devices that trust the box trust the vendor as well.
trusting() { ask dev1 <(cat "$work/state/ca.crt" "$work/vendor-ca.crt") "$@"; }
distrusting() { ask dev2 "$work/vendor-ca.crt" "$@"; }
is_big() { cmp - "$work/files/big"; }
at_vendor() { grep -c " https $1 .*$2 " "$work/vendor.log"; }

box_start

# ---- a device that trusts ------------------------------------------------------------------------

first() { trusting $HOST big | is_big; }
check 'a device that trusts the box gets every byte' counts intercepted wait_until 10 first
check 'the next time from the cache' eval "(($(stat request.hit) < \$(trusting $HOST big | is_big && stat request.hit)))"
check 'of which the vendor was asked once' test "$(at_vendor $HOST /files/big)" = 1
check 'a range' eval "trusting $HOST big -r 1000-1999 | cmp - <(tail -c +1001 $work/files/big | head -c 1000)"
check 'TLS 1.2' eval "trusting $HOST big --tls-max 1.2 | is_big"
check 'TLS 1.3' eval "trusting $HOST big --tlsv1.3 | is_big"
in_clear() { in_ns dev1 curl -sS --noproxy '*' --max-time 10 --resolve $HOST:80:198.51.100.10 "http://$HOST/files/$1"; }
apart() {
	head -c 3000 /dev/urandom >"$work/files/apart"
	touch -d '10 days ago' "$work/files/apart"
	in_clear apart | cmp - "$work/files/apart" && in_clear apart | cmp - "$work/files/apart" &&
		[[ $(grep -c " http $HOST /files/apart " "$work/vendor.log") == 1 ]] &&
		trusting $HOST apart | cmp - "$work/files/apart" && [[ $(at_vendor $HOST /files/apart) == 1 ]]
}
check 'what http has stored is nothing that https serves' apart
twice() { # two requests on one connection
	[[ $(in_ns dev1 curl -sS --noproxy '*' --cacert "$work/state/ca.crt" --resolve $HOST:443:198.51.100.10 \
		-o /dev/null -o /dev/null -w '%{num_connects} ' https://$HOST/files/small https://$HOST/files/big) == '1 0 ' ]]
}
check 'two requests on one connection' twice
check 'a host that differs from the one of TLS: 421' \
	eval "[[ \$(trusting e.vendor.example small -H 'Host: b.vendor.example' -o /dev/null -w '%{http_code}') == 421 ]]"
check 'its next connection is the vendor'"'"'s to answer' counts distrusted \
	trusting e.vendor.example small -H 'Host: b.vendor.example' -o /dev/null
check 'once forgotten it is tried again' ctl tls distrust --reset 10.7.0.11
tls() { # OPTION...: openssl s_client, trusting
	in_ns dev1 timeout 5 openssl s_client -connect 198.51.100.10:443 -servername $HOST \
		-CAfile "$work/state/ca.crt" -verify_return_error "$@"
}
resumes() { # VERSION
	local way
	for way in -sess_out -sess_in; do
		printf 'HEAD /files/small HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' $HOST |
			tls "$1" -ign_eof $way "$work/ticket$1" >"$work/s_client" 2>&1
	done
	grep -q '^Reused' "$work/s_client" || { tail -25 "$work/s_client"; ls -l "$work"/ticket*; return 1; }
}
check 'a ticket resumes' resumes -tls1_3
early() { # what would be sent with the hello, and could be sent again by anybody
	printf 'GET / HTTP/1.0\r\n\r\n' >"$work/early"
	tls -tls1_3 -ign_eof -sess_in "$work/ticket-tls1_3" -early_data "$work/early" </dev/null >"$work/s_client" 2>&1
	grep -q 'Max Early Data: 0' "$work/s_client" || grep -q 'Early data was not sent' "$work/s_client"
}
check 'with no early data' early
check 'with TLS 1.2, too' resumes -tls1_2
check 'there is no renegotiation' eval "(echo R; read -rt 2 <> <(:)) | tls -tls1_2 2>&1 | grep -q 'no renegotiation'"
# ... which for us is a device that closes without a request:
check 'that is a closing without a request' wait_until 5 eval "ctl tls distrust | grep -q '^10.7.0.11 .*no_request'"
check 'which is forgotten' ctl tls distrust --reset 10.7.0.11
fifty() { # FILE LEAST [DEVICES]: each from an address of its own, or all from one
	local before ended pids=() pid bad=0 i
	ended=$(stat tls.decided.intercepted)
	before=$(at_vendor $HOST /files/$1)
	head -c 2000000 /dev/urandom >"$work/files/$1"
	touch -d "10 days ago" "$work/files/$1"
	for i in {1..50}; do
		trusting $HOST "$1" --interface 10.7.0.$((${3:-0} ? 100 + i : 11)) | cmp -s - "$work/files/$1" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
	ended=$(($(stat tls.decided.intercepted) - ended))
	echo "# $bad bad, $ended of 50 ended here"
	# A device's handshakes go one after the other, and new devices are written down first: on a busy machine the last of
	# them are carried through.
	[[ $bad == 0 && $ended -ge $2 && $(at_vendor $HOST "/files/$1") == $((before + 1 + 50 - ended)) ]]
}
check 'fifty at once: one fetch' fifty many 25
for i in {1..50}; do addr dev1 eth0 10.7.0.$((100 + i))/24; done
check 'of fifty devices at once, none of them known: one fetch' fifty devices 1 50
check 'the decision is foretold' eval "ctl why https://$HOST/ | grep -q '^Decision  *intercept: '"

check 'for this device, too' eval "ctl why --from 10.7.0.11 https://$HOST/ | grep -q '10.7.0.11: it has taken our certificate'"

# ---- other clients -------------------------------------------------------------------------------

printf '198.51.100.10 %s\n' $HOST >"$work/hosts"
# with_hosts DEVICE COMMAND...: where the vendor's names are known.
with_hosts() {
	local device=$1
	shift
	in_ns "$device" unshare -m bash -c 'mount --bind "$1" /etc/hosts; shift; exec "$@"' - "$work/hosts" "$@"
}
check 'wget' eval "with_hosts dev1 wget -qO- --no-proxy --ca-certificate=$work/state/ca.crt https://$HOST/files/big | is_big"
check 'Python' eval "with_hosts dev1 python3 -c 'import ssl, sys, urllib.request as u
o = u.build_opener(u.ProxyHandler({}), u.HTTPSHandler(context=ssl.create_default_context(cafile=sys.argv[1])))
sys.stdout.buffer.write(o.open(sys.argv[2]).read())' $work/state/ca.crt https://$HOST/files/big | is_big"
for bytes in 512 4096; do
	check "one that takes records of $bytes bytes only" eval "printf 'GET /files/big HTTP/1.0\r\nHost: $HOST\r\n\r\n' |
		in_ns dev1 timeout 30 openssl s_client -quiet -connect 198.51.100.10:443 -servername $HOST \
		-maxfraglen $bytes 2>/dev/null | sed '1,/^\r*\$/d' | is_big"
done
if command -v gnutls-cli >/dev/null; then
	check 'GnuTLS' eval "printf 'GET /files/small HTTP/1.0\r\nHost: $HOST\r\n\r\n' | with_hosts dev1 timeout 5 \
		gnutls-cli --x509cafile $work/state/ca.crt $HOST 2>&1 | grep -q 'HTTP/1.1 200'"
else
	skip 'GnuTLS' 'no gnutls-cli'
fi
if command -v node >/dev/null; then
	check 'Node' eval "NODE_EXTRA_CA_CERTS=$work/state/ca.crt with_hosts dev1 node -e '
		require(\"https\").get(process.argv[1], r => r.pipe(process.stdout))' https://$HOST/files/big | is_big"
else
	skip 'Node' 'no node'
fi

# ---- devices that do not -------------------------------------------------------------------------

# fails_once HOST COMMAND...: COMMAND fails at most once; then twice it does not.
fails_once() {
	local bad=0 _
	for _ in 1 2 3; do "$@" >/dev/null 2>&1 || bad=$((bad + 1)); done
	((bad <= 1)) || echo "$bad failures"
	((bad <= 1))
}
check 'a device that does not trust the box loses one connection at most' \
	fails_once eval "distrusting $HOST big | is_big"
check 'and is carried through from then on' counts distrusted eval "distrusting $HOST big | is_big"
check 'as is known' eval "[[ \$(api /api/v1/tls/distrust | jq -r '.entries[] | \"\(.device) \(.host) \(.reason)\"') == '10.7.0.12 $HOST alert' ]]"
whys() { # DEVICE HOST PATTERN
	ctl why --from "$1" "https://$2/" >"$work/why"
	cat "$work/why"
	grep -q '^Decision  *splice: ' "$work/why" && grep -q "$3" "$work/why"
}
check 'tarnctl why says so' whys 10.7.0.12 $HOST '^TLS .*does not trust us for this host'
check 'and where more is to be read' grep -q '^TLS .*see tarnctl tls distrust' "$work/why"
check 'and that of the profile is no promise' grep -q '^request .*may be ended here' "$work/why"
check 'of this device, not of others' eval "ctl why --from 10.7.0.11 https://$HOST/ | grep -q '^Decision  *intercept: '"
check 'tarnctl says so' eval "ctl tls distrust | grep -q '^10.7.0.12  *$HOST  *alert'"
parallel() { # eight connections at once, to a host that is new: one of them fails at most
	local pids=() pid bad=0
	for _ in {1..8}; do
		distrusting b.vendor.example small -o /dev/null 2>/dev/null &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
	echo "# $bad of 8 failed"
	((bad <= 1)) && distrusting b.vendor.example small -o /dev/null
}
check 'of eight at once one at most' parallel
pinned() { ask dev2 "$work/vendor-ca.crt" c.vendor.example small -o /dev/null --pinnedpubkey \
	"sha256//$(openssl x509 -in "$work/vendor.crt" -pubkey -noout | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)"; }
check 'one that pins the vendor'"'"'s key' fails_once pinned
# From here on dev2 is known to trust nothing.
check 'a device that trusts for no host is not tried any more' \
	counts distrusted_all distrusting d.vendor.example small -o /dev/null
check 'a hello without a name passes' counts no_name eval "printf 'GET / HTTP/1.0\r\n\r\n' | in_ns dev1 timeout 5 \
	openssl s_client -quiet -connect 198.51.100.10:443 -noservername 2>/dev/null | grep -q DIRECT"
by_rsa() { # TLS 1.2 with suites for RSA alone
	printf 'GET /files/small HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' $HOST |
		tls -tls1_2 -ign_eof -cipher ECDHE-RSA-AES128-GCM-SHA256 >"$work/s_client" 2>&1 &&
		grep -q 'Server public key is 2048 bit' "$work/s_client" && grep -q 'HTTP/1.1 200' "$work/s_client"
}
# Its key is made first, in which time such a client is carried through.
check 'a client without ECDSA suites is served by an RSA certificate' wait_until 60 by_rsa || cat "$work/s_client"
check 'and again' counts intercepted by_rsa
check 'which it trusts' eval "! ctl tls distrust | grep '^10.7.0.11 '"
check 'an old client passes: RSA only' counts old_client eval "! in_ns dev1 timeout 5 openssl s_client -quiet \
	-connect 198.51.100.10:443 -servername $HOST -tls1_2 -sigalgs RSA+SHA256 </dev/null 2>/dev/null"
check 'another protocol passes' counts other_alpn eval "in_ns dev1 timeout 5 openssl s_client -connect \
	198.51.100.10:443 -servername $HOST -alpn h2 </dev/null >/dev/null 2>&1; true"

# ---- the vendor's own certificate ---------------------------------------------------------------

check 'a vendor with a wrong certificate is carried through' counts upstream_bad eval \
	"! trusting wrong.vendor.example '' -o /dev/null 2>$work/err"
check 'so the device sees it' eval "in_ns dev1 timeout 5 openssl s_client -connect 198.51.100.10:443 \
	-servername wrong.vendor.example </dev/null 2>/dev/null | grep -q '^subject=CN = wrong'"
check 'tarnctl why says so' whys 10.7.0.11 wrong.vendor.example '^TLS .*own certificate is wrong'
check 'a vendor who asks for a certificate is left alone' counts upstream_asks eval \
	"ask dev1 $work/vendor-ca.crt asks.vendor.example '' -o /dev/null"

# ---- over deaths --------------------------------------------------------------------------------

old=$(proxy_pid)
kill -KILL "$old"
check 'a killed proxy: new connections pass' eval "distrusting $HOST big | is_big"
check 'it comes back' wait_until 15 eval "[[ \$(proxy_pid) != $old && \$(proxy_pid) != 0 ]] && armed"
check 'who does not trust is still known' counts distrusted eval "distrusting $HOST big | is_big"
check 'who trusts, too' counts intercepted eval "trusting $HOST big | is_big"

# ---- forgotten, and a new CA --------------------------------------------------------------------

check 'tarnctl tls distrust --reset' eval "ctl tls distrust --reset 10.7.0.12 && ! ctl tls distrust | grep -q 10.7.0.12"
check 'the CA is shown by the API' eval "api /api/v1/tls/ca | jq -e '.permitted | index(\"vendor.example\")'"
check 'and given' eval "api /api/v1/tls/ca.crt | cmp - $work/state/ca.crt"
cp "$work/state/ca.crt" "$work/old.crt"
check 'tarnctl ca rotate' eval "ctl ca rotate && ! cmp -s $work/old.crt $work/state/ca.crt"
# Once it has returned no certificate of the old one goes out, not even a second later.
new_ca() { trusting $HOST small -o /dev/null; }
check 'devices that have the new one are served at once' counts intercepted new_ca
check 'the data plane says so' grep -q 'event=tls.authority new=yes' "$work/tarnd.log"
rotated() { ctl ca rotate >/dev/null && new_ca; }
for i in 2 3; do check 'also when that is done again' counts intercepted rotated; done
check 'to its old one nobody has lost a connection' eval "! ctl tls distrust | grep '^10.7.0.11 '"

# ---- only who is listed --------------------------------------------------------------------------

printf '[tls]\nprobe = no\ndevices = 10.7.0.11 2001:db8:7::/64\n' >>"$work/tarn.conf"
reloads=$(stat config.reloads)
kill -HUP "$(proxy_pid)"
check 'from now on no device is tried' wait_until 5 stat_is config.reloads $((reloads + 1))
addr dev2 eth0 10.7.0.99/24
# The new CA alone is trusted here: a handshake with a certificate of the old one may have failed above.
ctl tls distrust --reset 10.7.0.11 >"$work/reset" 2>&1 || :
check 'who is not listed is carried through' counts not_listed distrusting f.vendor.example small -o /dev/null --interface 10.7.0.99
check 'and so it stays: nothing was at stake' eval "! ctl tls distrust | grep '^10.7.0.99 '"
check 'tarnctl why says so' whys 10.7.0.99 f.vendor.example 'not listed'
check 'who is listed finds the cache' eval "(($(stat request.hit) < \$(trusting $HOST big | is_big && stat request.hit)))"

# ---- one object by both schemes, if the profile says so --------------------------------------------

printf '[vendor]\nschemes = same\n' >>"$work/vendors/example.conf"
reloads=$(stat config.reloads)
kill -HUP "$(proxy_pid)"
check 'from now on http and https are one' wait_until 5 stat_is config.reloads $((reloads + 1))
both() {
	head -c 3000 /dev/urandom >"$work/files/both"
	touch -d '10 days ago' "$work/files/both"
	in_clear both | cmp - "$work/files/both" && trusting $HOST both | cmp - "$work/files/both" &&
		[[ $(grep -cE " https? $HOST /files/both " "$work/vendor.log") == 1 ]]
}
check 'what http has stored https serves' counts intercepted both

tarnd_stop
check 'tarnd ends with status 0' test "$tarnd_status" -eq 0
done_testing
