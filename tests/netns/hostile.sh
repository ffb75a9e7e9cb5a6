#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 180
#
# TLS that ends here, against those who mean harm (device.py): names that are none, a device that falls silent, one that
# floods; and a vendor's certificate with every fault, which the device sees as it is.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'
command -v python3 >/dev/null || skip_all 'no python3'

# The vendor's CA says, and its server staples it, that the certificate was revoked.
revoked_staple() {
	local by=(-CA "$work/vendor-ca.crt" -rsigner "$work/vendor-ca.crt" -rkey "$work/vendor-ca.key")
	printf 'R\t491231235959Z\t260101000000Z\t%s\tunknown\t/CN=revoked\n' \
		"$(openssl x509 -in "$work/revoked.crt" -noout -serial | cut -d= -f2)" >"$work/revoked.index"
	openssl ocsp -issuer "$work/vendor-ca.crt" -cert "$work/revoked.crt" -reqout "$work/revoked.req" -no_nonce 2>/dev/null
	openssl ocsp -index "$work/revoked.index" "${by[@]}" -reqin "$work/revoked.req" -respout "$work/revoked.ocsp" \
		-ndays 7 >/dev/null 2>&1
}

# Certificates with one fault each; their subject is their name.
vendor_more() {
	local kind=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
	certificate expired -1 DNS:expired.vendor.example
	certificate staple 10 $'DNS:staple.vendor.example\ntlsfeature=status_request'
	openssl req -x509 "${kind[@]}" -subj /CN=self -days 9 -addext subjectAltName=DNS:self.vendor.example \
		-keyout "$work/self.key" -out "$work/self.crt" 2>/dev/null
	openssl req -x509 "${kind[@]}" -subj '/CN=another CA' -days 9 -keyout "$work/another.key" \
		-out "$work/another.crt" 2>/dev/null
	openssl req "${kind[@]}" -subj /CN=stranger -keyout "$work/stranger.key" -out "$work/stranger.csr" 2>/dev/null
	openssl x509 -req -in "$work/stranger.csr" -CA "$work/another.crt" -CAkey "$work/another.key" -CAcreateserial \
		-days 9 -out "$work/stranger.crt" -extfile <(echo subjectAltName=DNS:stranger.vendor.example) 2>/dev/null
	openssl req -newkey rsa:1024 -nodes -subj /CN=weak -keyout "$work/weak.key" -out "$work/weak.csr" 2>/dev/null
	openssl x509 -req -in "$work/weak.csr" -CA "$work/vendor-ca.crt" -CAkey "$work/vendor-ca.key" -CAcreateserial -days 9 \
		-out "$work/weak.crt" -extfile <(echo subjectAltName=DNS:weak.vendor.example) 2>/dev/null
	more[weak]='ssl_ciphers DEFAULT@SECLEVEL=0;'
	certificate revoked 10 $'DNS:revoked.vendor.example\ntlsfeature=status_request'
	revoked_staple
	more[revoked]="ssl_stapling on; ssl_stapling_file $work/revoked.ocsp;"
	servers+=(expired:expired staple:staple self:self stranger:stranger weak:weak revoked:revoked)
}
# shellcheck source=tests/netns/vendor_tls.sh
. "$(dirname "$0")/vendor_tls.sh"
printf '[proxy]\nhead_timeout = 2s\n' >>"$work/tarn.conf"
sed -i 's/^sniff_wait = .*/sniff_wait = 10s/' "$work/tarn.conf"

device() { # [OPTION...] MODE [CASE...]: from $who
	local options=()
	while [[ $1 == -* ]]; do
		options+=("$1" "$2")
		shift 2
	done
	in_ns dev2 timeout 100 python3 "$here/device.py" -s "$who" "${options[@]}" "$1" 198.51.100.10 "$HOST" \
		"$work/vendor-ca.crt" "$work/state/ca.crt" "${@:2}"
}
served() { [[ $(device cases "$who/trusts*1") == "$who/trusts*1: 0" ]]; }
ended() { served && (($(stat tls.decided.intercepted) > 0)); }

box_start
who=10.7.0.12
check 'a device that trusts is served' wait_until 15 ended

# ---- a vendor's certificate that is wrong ---------------------------------------------------------

shows() { # NAME: the device sees the vendor's own
	in_ns dev1 timeout 10 openssl s_client -connect 198.51.100.10:443 -servername "$1.vendor.example" \
		-status -cipher DEFAULT@SECLEVEL=0 </dev/null 2>/dev/null >"$work/shown" &&
		grep -q "^subject=CN = $1\$" "$work/shown"
}
for s in expired staple self stranger wrong weak revoked; do
	check "a vendor's certificate that is $s is shown as it is" counts upstream_bad shows $s
done
check 'with what its CA says of it' grep -q 'Cert Status: revoked' "$work/shown"

# ---- names that are none --------------------------------------------------------------------------

hex() { printf '%b' "$1" | xxd -p | tr -d '\n'; }
names=("$(hex "$HOST\\0.evil.example")" "$(hex "\\0$HOST")" "$(hex '*.vendor.example')" "$(hex 'm\xc3\xaerror.vendor.example')"
	"$(hex 198.51.100.10)" "$(hex '[2001:db8:51::10]')" "$(hex "$(printf 'a%.0s' {1..300}).vendor.example")" "$(hex '.vendor.example')"
	"$(hex 'a..vendor.example')" "$(hex ' mirror.vendor.example')" "$(hex 'mirror.vendor.example/x')" "$(hex '-')" '')
minted=$(stat tls.leaf_minted)
odd=$(stat tls.decided.odd_name)
answers() { [[ $(device names "${names[@]}" | tee "$work/answers" | wc -l) == "${#names[@]}" ]] && ! grep -q None "$work/answers"; }
check 'names that are no host names: each is the vendor'"'"'s to answer' answers
check 'each is counted' wait_until 10 stat_is tls.decided.odd_name $((odd + ${#names[@]}))
check 'and no certificate is made for any' test "$(stat tls.leaf_minted),$(stat tls.leaf_refused)" == "$minted,0"

# ---- who falls silent -----------------------------------------------------------------------------

addr dev2 eth0 10.7.0.60/24 10.7.0.61/24
who=10.7.0.60
# Where a busy machine could not write the attempt down in time, it was carried through.
check 'a device that falls silent in the handshake is cut off' wait_until 60 eval "[[ \$(device -t 15 silent) == reset ]]"
check 'which is known' eval "[[ \$(api /api/v1/tls/distrust | jq -r '.entries[] | select(.device == \"$who\").reason') == slow ]]"
check 'and the vendor'"'"'s from then on' counts distrusted eval "[[ \$(device -t 3 silent) == open ]]"

# ---- who floods -----------------------------------------------------------------------------------

who=10.7.0.61
check 'a device is served' served
flood=$(stat tls.decided.flood)
mkfifo "$work/hold"
device flood 600 <"$work/hold" >"$work/flood" &
exec 8>"$work/hold"
check 'it floods' wait_until 60 grep -q sent "$work/flood"
check 'what is too much is carried through' wait_until 60 eval "((\$(stat tls.decided.flood) > $flood))"
echo "# $(($(stat tls.decided.flood) - flood)) of 600 were too much"
who=10.7.0.12
check 'other devices are served meanwhile' served
check 'the bridge passes' in_ns dev1 curl -sSfk --noproxy '*' --max-time 20 -o /dev/null https://198.51.100.30/
exec 8>&-
wait $!

tarnd_stop
check 'tarnd ends with status 0' test "$tarnd_status" -eq 0
done_testing
