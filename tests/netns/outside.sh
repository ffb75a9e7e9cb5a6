#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The explicit proxy is no way into the box: what listens on its loopback stays out of a device's reach, by address, by
# name and by tunnel, also over a connection that the box itself has used before.
#
#   dev1 10.7.0.11 ── 10.7.0.5 box: tarn-proxy on 10.7.0.5 and 127.0.0.1, a secret on 127.0.0.1:8081 and [::1]:8081
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'

space dev1
space box
wire dev1 eth0 box lan0
addr dev1 eth0 10.7.0.11/24
addr box lan0 10.7.0.5/24
mkdir -p "$work/nginx" "$work/run" "$work/vendors"
chown nobody "$work/run"
cat >"$work/nginx.conf" <<-END
	daemon off;
	master_process off;
	pid $work/nginx.pid;
	error_log $work/nginx.log;
	events { }
	http {
		access_log off;
		client_body_temp_path $work/nginx;
		proxy_temp_path $work/nginx;
		fastcgi_temp_path $work/nginx;
		uwsgi_temp_path $work/nginx;
		scgi_temp_path $work/nginx;
		server {
			listen 127.0.0.1:8081;
			listen [::1]:8081;
			listen 10.7.0.5:8082;
			location / { return 200 "secret\n"; }
		}
	}
END
ip netns exec "$(ns box)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)
ip netns exec "$(ns box)" "$BUILD/bin/tarn-proxy" -o 'proxy.listen=10.7.0.5:3128 127.0.0.1:3128' \
	-o "proxy.admin_socket=$work/run/proxy.sock" -o "cache.path=$work/run/cache" -o "vendors.dir=$work/vendors" \
	-o proxy.connect_ports=8081 -o steer.allow_private_vendor=yes 2>"$work/proxy.log" &
children+=($!)

from() { # NAMESPACE PROXY URL [CURL OPTION...]: status and body
	local space=$1 proxy=$2 url=$3
	shift 3
	in_ns "$space" curl -s --max-time 10 --noproxy '' -x "http://$proxy:3128" -w '%{http_code}' "$@" "$url"
}
gets() { # WANTED ARGUMENTS OF from
	local wanted=$1 got
	shift
	got=$(from "$@")
	echo "$got"
	[[ $got == "$wanted" ]]
}
secret=$'secret\n200'

check 'the box itself may' wait_until 10 gets "$secret" box 127.0.0.1 http://127.0.0.1:8081/
check 'a device may reach what the box shows to all' gets "$secret" dev1 10.7.0.5 http://10.7.0.5:8082/
for url in http://127.0.0.1:8081/ http://127.9.9.9:8081/ http://localhost:8081/ 'http://[::1]:8081/' \
	http://0.0.0.0:8081/ 'http://[::ffff:127.0.0.1]:8081/'; do
	out=$(from dev1 10.7.0.5 "$url")
	check "a device may not: $url" test "${out#*secret}" = "$out"
done
check 'it is told so' test "$(from dev1 10.7.0.5 http://127.0.0.1:8081/ -o /dev/null)" = 403
tunnel() { in_ns dev1 curl -s --max-time 10 --noproxy '' -p -x http://10.7.0.5:3128 -w '%{http_connect}' http://127.0.0.1:8081/; }
check 'nor through a tunnel' test "$(tunnel)" = 403
check 'the box itself still may' gets "$secret" box 127.0.0.1 http://127.0.0.1:8081/
done_testing
