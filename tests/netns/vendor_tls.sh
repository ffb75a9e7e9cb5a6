# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The topology of lib.sh in bridge mode, where TLS ends in the box, and nginx with TLS and a PKI of its own is the
# vendor. For scripts that have sourced lib.sh; they start tarnd.

# shellcheck disable=SC2034,SC2154 # what lib.sh reads, and gives
PROXY=$BUILD/bin/tarn-proxy
HOST=mirror.vendor.example
topology bridge
config 'lan = lan0' 'wan = wan0'
cat >>"$work/tarn.conf" <<END
[dns]
servers = 198.51.100.53
probe_interval = 1s
timeout = 300ms
[proxy]
sniff_wait = 3s
[upstream]
ca_file = $work/vendor-ca.crt
END
printf '[tls]\nmode = intercept\n' >>"$work/vendors/example.conf"
head -c 3000000 /dev/urandom >"$work/files/big"
head -c 3000 /dev/urandom >"$work/files/small"
touch -d '10 days ago' "$work/files/big" "$work/files/small"

# The vendor's own PKI.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=vendor CA' -days 20 \
	-keyout "$work/vendor-ca.key" -out "$work/vendor-ca.crt" 2>/dev/null
certificate() { # NAME DAYS SAN
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
	openssl x509 -req -in "$work/$1.csr" -CA "$work/vendor-ca.crt" -CAkey "$work/vendor-ca.key" \
		-CAcreateserial -days "$2" -out "$work/$1.crt" \
		-extfile <(echo "subjectAltName=$3") 2>/dev/null
}
certificate vendor 10 "DNS:$HOST,DNS:*.vendor.example,DNS:other.example"
certificate wrong 10 DNS:elsewhere.example
# A log of what reaches the vendor over TLS; a host with a wrong certificate; one that asks for the device's.
sed -i -e "s|listen \(.*443\) |listen \1 ssl |" -e "s| access_log $work/files.log;||" \
	-e "s|access_log off;|log_format u '\$remote_addr \$scheme \$host \$uri \$status'; access_log $work/vendor.log u; ssl_certificate $work/vendor.crt; ssl_certificate_key $work/vendor.key; ssl_protocols TLSv1.2 TLSv1.3;|" \
	"$work/nginx.conf"
sed -i '$d' "$work/nginx.conf"
# vendor_more, if the script has it, makes certificates and adds to `servers`: NAME:CERTIFICATE, https://NAME.vendor.example;
# and to `more`: what else nginx is to be told for that name.
servers=(wrong:wrong asks:vendor)
declare -A more=()
! declare -F vendor_more >/dev/null || vendor_more
for s in "${servers[@]}"; do
	name=${s%:*} cert=${s#*:}
	cat >>"$work/nginx.conf" <<-END
		server {
			listen 443 ssl;
			listen [::]:443 ssl;
			server_name $name.vendor.example;
			ssl_certificate $work/$cert.crt;
			ssl_certificate_key $work/$cert.key;
			${more[$name]:-}
			$([[ $name == asks ]] && echo "ssl_verify_client optional; ssl_client_certificate $work/vendor-ca.crt;")
			location / { return 200 "DIRECT \$remote_addr\n"; }
		}
	END
done
echo '}' >>"$work/nginx.conf"
sed -i '/^address=.other/i address=/asks.vendor.example/198.51.100.10\naddress=/wrong.vendor.example/198.51.100.10\naddress=/b.vendor.example/198.51.100.10\naddress=/c.vendor.example/198.51.100.10\naddress=/d.vendor.example/198.51.100.10\naddress=/e.vendor.example/198.51.100.10' "$work/dnsmasq.conf"
for s in "${servers[@]:2}"; do
	sed -i "/^address=.other/i address=/${s%:*}.vendor.example/198.51.100.10" "$work/dnsmasq.conf"
done
for i in 0 1; do
	kill "${children[$i]}"
	wait "${children[$i]}" 2>/dev/null
done
ip netns exec "$(ns vendor)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)
ip netns exec "$(ns vendor)" dnsmasq -C "$work/dnsmasq.conf" 2>"$work/dnsmasq.log" &
children+=($!)
check 'the vendor speaks TLS' wait_until 10 in_ns vendor curl -sfk -o /dev/null https://198.51.100.10/

api() { curl -sf --max-time 5 --unix-socket "$work/proxy.sock" "http://tarn$1" "${@:2}"; }
stat() { api /api/v1/stat | jq -r ".counters[] | select(.name == \"$1\").value"; }
stat_is() { [[ $(stat "$1") == "$2" ]]; }
ctl() { "$BUILD/bin/tarnctl" --config "$work/tarn.conf" "$@"; }
# counts REASON COMMAND...: COMMAND succeeds, and one more connection is decided for REASON.
counts() {
	local before
	before=$(stat "tls.decided.$1")
	"${@:2}" && wait_until 5 stat_is "tls.decided.$1" $((before + 1))
}

box_start() {
	tarnd_start
	check 'the bridge is there' wait_until 10 in_ns box ip link show br0
	addr box br0 10.7.0.2/24 2001:db8:7::2/64
	via box 10.7.0.1 2001:db8:7::1
	check 'tarnd arms interception' wait_until 15 armed || { logs_show; status .; }
}
