#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
#
# tarn-proxy without tarnd, as a newcomer runs it: options, wrong configuration, admin socket, tunnels, reload,
# limits, drain. All in one namespace, on its loopback.
set -u
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
[[ -x $BUILD/bin/tarn-proxy ]] || skip_all 'tarn-proxy is not built'
program=$BUILD/bin/tarn-proxy

space box
addr box lo 192.0.2.1/32
mkdir -p "$work/nginx" "$work/files" "$work/vendors" "$work/run"
chown nobody "$work/run"
head -c 5000000 /dev/urandom >"$work/files/big"
echo small >"$work/files/small"
touch -d '10 days ago' "$work"/files/*
cat >"$work/nginx.conf" <<END
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path $work/nginx;
	proxy_temp_path $work/nginx;
	fastcgi_temp_path $work/nginx;
	uwsgi_temp_path $work/nginx;
	scgi_temp_path $work/nginx;
	server { listen 192.0.2.1:80; root $work/files; }
}
END
ip netns exec "$(ns box)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
children+=($!)

cat >"$work/vendors/test.conf" <<END
[vendor]
name = test
source = 192.0.2.1:80
[hosts]
exact = 192.0.2.1
END
cat >"$work/tarn.conf" <<END
[proxy]
listen = 127.0.0.1:3128, [::1]:3128
admin_socket = $work/run/proxy.sock
connect_ports = 80, 81
workers = 2
[cache]
path = $work/run/cache
[vendors]
dir = $work/vendors
END

# ---- options and wrong configuration --------------------------------------------------------------

check 'it says its version' eval '"$program" --version | grep -q "^tarn-proxy [0-9]"'
check 'it helps' eval '"$program" --help | grep -q -- --config'
check 'it lists its settings' eval '"$program" --settings | grep -q max_connections'
status_of() { in_ns box "$@" >"$work/out" 2>&1; echo $?; }
check 'an unknown option is a usage error' test "$(status_of "$program" --nonsense)" = 64
check 'so is a stray word' test "$(status_of "$program" nonsense)" = 64
check 'a right configuration is right' test "$(status_of "$program" -c "$work/tarn.conf" --check)" = 0

# shellcheck disable=SC2015 # show the text whatever was wrong
# refused WANTED OPTION...: status 78, and the text says what, and nothing was made.
refused() {
	local wanted=$1
	shift
	rm -rf "$work/run/cache"
	[[ $(status_of "$program" "$@") == 78 ]] && grep -q "$wanted" "$work/out" &&
		[[ ! -e $work/run/cache && ! -e $work/run/proxy.sock ]] ||
		{ cat "$work/out"; return 1; }
}
sed 's/workers = 2/workers = many/' "$work/tarn.conf" >"$work/wrong.conf"
check 'a wrong value: file, line, what is allowed' refused "wrong.conf:5: .*workers.*allowed" -c "$work/wrong.conf"
check 'a missing file' refused 'missing.conf' -c "$work/missing.conf"
check 'a wrong -o' refused 'proxy.listen=nowhere' -c "$work/tarn.conf" -o proxy.listen=nowhere
check 'an -o that is no setting' refused 'proxy.colour' -c "$work/tarn.conf" -o proxy.colour=blue
printf '[vendor]\nname = x\n[hosts]\nexact = a..b\n' >"$work/vendors/wrong.conf"
check 'a wrong profile: its file and line' refused 'vendors/wrong.conf:4: ' -c "$work/tarn.conf"
rm "$work/vendors/wrong.conf"

# ---- it runs ---------------------------------------------------------------------------------------

# Not under check: it sets $proxy.
proxy_start() {
	ip netns exec "$(ns box)" "$program" -c "$work/tarn.conf" -u nobody "$@" 2>>"$work/proxy.log" >&2 &
	proxy=$!
	children+=("$proxy")
	wait_until 10 api /api/v1/status
}
proxy_end() { # sets ended
	kill -TERM "$proxy"
	wait "$proxy"
	ended=$?
}
api() { curl -sf --max-time 5 --unix-socket "$work/run/proxy.sock" "http://tarn$1"; }
stat() { api /api/v1/stat | jq -r ".counters[] | select(.name == \"$1\").value"; }
stat_is() { [[ $(stat "$1") == "$2" ]]; }
stat_over() { (($(stat "$1") > $2)); }
fetch() { in_ns box curl -sS --max-time 10 "$@"; }
via() { fetch -x http://127.0.0.1:3128 "$@"; }

# Killed, it leaves a socket file that nobody serves.
proxy_start
kill -KILL "$proxy"
wait "$proxy" 2>/dev/null
check 'a dead socket file is left over' test -S "$work/run/proxy.sock"
proxy_start
check 'it starts, and replaces it' api /api/v1/status
check 'the socket is for owner and group only' eval '[[ $(/usr/bin/stat -c %a "$work/run/proxy.sock") == 660 ]]'
check 'a second one does not take a served socket away' \
	eval '[[ $(status_of "$program" -c "$work/tarn.conf" -u nobody -o proxy.listen=127.0.0.1:3129 \
		-o "cache.path=$work/run/cache2") == 71 ]] && api /api/v1/status'
check 'as a proxy' eval 'via http://192.0.2.1/big | cmp - "$work/files/big"'
check 'over IPv6' eval 'fetch -x "http://[::1]:3128" http://192.0.2.1/big | cmp - "$work/files/big"'
check 'as an update source' eval 'fetch http://127.0.0.1:3128/test/big | cmp - "$work/files/big"'
check 'the vendor was asked once' stat_is upstream.requests 1
check 'a tunnel' eval 'via -p http://192.0.2.1/big | cmp - "$work/files/big"'
tunnel_status() { via -p -o /dev/null -w '%{http_connect}' "$1" 2>/dev/null; }
check 'a tunnel to nobody: 502' eval '[[ $(tunnel_status http://192.0.2.1:81/) == 502 ]]'
check 'a tunnel to another port: refused' eval '[[ $(tunnel_status http://192.0.2.1:22/) == 403 ]]'

check 'unknown resources are not found' eval '[[ $(curl -s -o /dev/null -w "%{http_code}" \
	--unix-socket "$work/run/proxy.sock" http://tarn/nothing) == 404 ]]'
check 'only GET' eval '[[ $(curl -s -o /dev/null -w "%{http_code}" -d x \
	--unix-socket "$work/run/proxy.sock" http://tarn/api/v1/status) =~ ^(405|501)$ ]]'
metrics_right() {
	api /metrics | awk '
		/^# HELP / { if ($3 in help) { print "twice: " $0; bad = 1 }; help[$3] = 1; next }
		/^# TYPE / { type[$3] = $4; next }
		!/^tarn_[a-z0-9_]+({[a-z]+="[^"]*"(,[a-z]+="[^"]*")*})? -?[0-9]+(\.[0-9]+)?(e-[0-9]+)?$/ { print; bad = 1 }
		{ sub(/[{ ].*/, ""); base = $0; sub(/_(bucket|sum|count)$/, "", base)
		  if (type[base] == "histogram") $0 = base
		  if (!(($0) in type)) { print "untyped: " $0; bad = 1 } n++ }
		END { exit bad || n < 50 }'
}
check 'metrics are in the form of Prometheus' metrics_right
check 'saved bytes are told' eval 'api /api/v1/status | jq -e ".saved.percent > 60"'

# ---- reload ---------------------------------------------------------------------------------------

cp "$work/tarn.conf" "$work/right.conf"
cp "$work/wrong.conf" "$work/tarn.conf"
kill -HUP "$proxy"
check 'a wrong file is refused while running' wait_until 5 stat_is config.refused 1
check 'and service goes on' eval 'via http://192.0.2.1/big | cmp - "$work/files/big"'
cp "$work/right.conf" "$work/tarn.conf"
cat >"$work/vendors/second.conf" <<END
[vendor]
name = second
[hosts]
exact = second.example
END
via --limit-rate 4M http://192.0.2.1/big >"$work/slow" &
slow=$!
kill -HUP "$proxy"
check 'a right one is taken' wait_until 5 stat_is config.reloads 1
check 'its new vendor is there' eval 'api /api/v1/status | jq -e ".reach | length == 2"'
wait "$slow"
check 'no connection was dropped' cmp "$work/slow" "$work/files/big"

# ---- it ends ---------------------------------------------------------------------------------------

via --limit-rate 5M http://192.0.2.1/big >"$work/slow" &
slow=$!
wait_until 5 stat_over conn.open 0
proxy_end
check 'SIGTERM: status 0' test "$ended" = 0
wait "$slow"
check 'the download under way was finished' cmp "$work/slow" "$work/files/big"
check 'its socket file is gone' test ! -e "$work/run/proxy.sock"

# Over the limit of connections new ones wait, and get their turn.
proxy_start -o proxy.max_connections=4
held=()
for _ in {1..20}; do
	via --limit-rate 4M http://192.0.2.1/big -o /dev/null &
	held+=($!)
done
bad=0
for p in "${held[@]}"; do wait "$p" || bad=$((bad + 1)); done
check 'five times as many clients as connections: all are served' test "$bad" -eq 0
check 'the limit was met' stat_over conn.over_limit 0
check 'the store was still there: nothing was fetched' stat_is upstream.requests 0

# Idle connections.
proxy_end
proxy_start
in_ns box bash -c '
	ulimit -n 4096
	for ((i = 0; i < 1000; i++)); do
		exec {fd}<>/dev/tcp/127.0.0.1/3128 || exit
		printf "GET /test/small HTTP/1.1\r\nHost: x\r\n\r\n" >&$fd
	done
	exec tail -f /dev/null' &
children+=($!)
check '1000 idle connections' wait_until 20 eval 'stat_is conn.open 1000 && stat_over requests 999'
anon=$(awk '/^RssAnon/ { print $2 }' "/proc/$proxy/status")
echo "# anonymous memory: $anon KiB"
check 'need at most 64 MiB of anonymous memory' test "$anon" -le 65536
check 'a status is answered meanwhile' api /api/v1/status
begin=${EPOCHREALTIME/./}
proxy_end
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
echo "# ended after $took ms"
check 'they are closed at once when it ends' test "$ended" = 0 -a "$took" -lt 5000
done_testing
