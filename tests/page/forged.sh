#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# A stolen key of the box's CA is of no use beyond the vendors' domains: a Chromium that trusts the CA shows what stands at a
# vendor's name, and refuses a certificate of the same CA for anybody else's. As OpenSSL, GnuTLS and NSS do
# (tests/unit/firmware/mint/ca.c).
#
#	Chromium ── TLS ──► nginx with certificates that `openssl` signed with the CA's key in tarnd's state
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/../netns/lib.sh"
for program in chromium certutil nginx; do
	command -v $program >/dev/null || skip_all "$program is not here: make deps-page"
done

PROXY=$BUILD/bin/tarn-proxy
unset FAKEPROXY_VENDORS
space box
config 'mode = off'
tarnd_start
wait_until 30 test -s "$work/state/ca.crt" || { logs_show; exit 1; }

# sign NAME FILE
sign() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/$2.key" -out "$work/$2.csr" &&
		openssl x509 -req -in "$work/$2.csr" -CA "$work/state/ca.crt" -CAkey "$work/state/ca.pem" -set_serial "0x$RANDOM$RANDOM" -days 2 \
			-out "$work/$2.crt" -extfile <(printf 'subjectAltName=DNS:%s\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n' "$1")
} 2>>"$work/openssl.log"
mkdir "$work/nginx"
{
	echo "daemon off; master_process off; pid $work/nginx.pid; error_log $work/nginx.log; events {} http { access_log off;"
	for name in mirror.vendor.example deep.mirror.vendor.example bank.example vendor.example.bank.example; do
		sign "$name" "$name" || { cat "$work/openssl.log" >&2; exit 1; }
		echo "server { listen 127.0.0.1:8444 ssl; server_name $name; ssl_certificate $work/$name.crt;
			ssl_certificate_key $work/$name.key; location / { default_type text/html; return 200 'shown: $name'; } }"
	done
	echo '}'
} >"$work/nginx.conf"
ip netns exec "$(ns box)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)
wait_until 10 in_ns box curl -sk -o /dev/null https://127.0.0.1:8444/ || { cat "$work/nginx.log" >&2; exit 1; }

# open NAME: what Chromium shows, and says, with the CA among those that it trusts.
mkdir -p "$work/home/.pki/nssdb"
certutil -d "sql:$work/home/.pki/nssdb" -N --empty-password
open() {
	HOME=$work/home in_ns box timeout 40 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/home/profile" \
		--host-resolver-rules='MAP * 127.0.0.1:8444' --dump-dom "https://$1/" 2>&1 | tee "$work/said"
}
is_shown() { open "$1" | grep -q "shown: $1"; }
is_refused() { open "$1" | grep -q "net::$2\$" && ! grep -q 'shown: ' "$work/said"; }

check 'a CA that nobody trusts: refused' is_refused mirror.vendor.example ERR_CERT_AUTHORITY_INVALID
certutil -d "sql:$work/home/.pki/nssdb" -A -n tarn -t C,, -i "$work/state/ca.crt"
check 'a vendor'\''s name: shown' is_shown mirror.vendor.example
check 'a name below it: shown' is_shown deep.mirror.vendor.example
check 'somebody else'\''s: refused' is_refused bank.example ERR_CERT_INVALID
check 'one that begins like a vendor'\''s: refused' is_refused vendor.example.bank.example ERR_CERT_INVALID
tarnd_stop
done_testing
