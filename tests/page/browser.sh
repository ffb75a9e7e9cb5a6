#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The admin page in a real Chromium. Traffic is real, too: curl as devices, tarnd and tarn-proxy, nginx as the vendor.
# `make deps-page` installs what this needs beyond the other tests; playwright-core and axe-core come from npm by the
# lock file, once, to build/page. Pictures of each view in both languages at three widths: build/page/pictures; with
# FEW_PICTURES=1 in the environment at one of them each.
#
# timeout: 800
#
#	Chromium ── HTTPS ──► tarn-proxy :PORT, admin :WEB ──► nginx 127.0.0.9:ORIGIN
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=$(realpath -m "${BUILD:-$here/../../build}")
page=$build/page

# shellcheck source=tests/page/modules.sh
. "$here/modules.sh"

# tarnd is one in a network: a network of our own, then.
if ((EUID == 0)) && [[ -z ${PAGE_NET:-} ]]; then
	PAGE_NET=own exec unshare --net -- "$0"
fi
[[ ${PAGE_NET:-} != own ]] || ip link set lo up

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-page.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 4000))
origin=$((24000 + (BASHPID + RANDOM) % 4000))
web=$((28000 + (BASHPID + RANDOM) % 4000))
pids=()

finish() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
chmod 755 "$dir"

# ---- the vendor: objects, an index, and names that would like to be HTML ------------------------

mkdir -p "$dir/www/bases" "$dir/nginx"
for i in {1..12}; do head -c $((i * 40000)) /dev/urandom >"$dir/www/bases/base$i.dat"; done
truncate -s 32M "$dir/www/bases/big.dat"
hostile='"><img src=x onerror=tarnXss=1><svg onload=tarnXss=1>'
echo 'small' >"$dir/www/bases/${hostile//\//}"
cat >"$dir/www/index.xml" <<-END
	<?xml version="1.0"?>
	<Update Generation="&lt;img src=x onerror=tarnXss=1&gt;">
	<File Name="bases/base1.dat" Size="40000"/>
	<File Name="bases/&lt;img src=x onerror=tarnXss=1&gt;" Size="6"/>
	</Update>
END
cat >"$dir/nginx.conf" <<-END
	$( ((EUID)) || echo 'user root;')
	daemon off;
	pid $dir/nginx/pid;
	error_log $dir/nginx/error.log;
	events { }
	http {
		access_log off;
		client_body_temp_path $dir/nginx/body;
		proxy_temp_path $dir/nginx/proxy;
		fastcgi_temp_path $dir/nginx/fastcgi;
		uwsgi_temp_path $dir/nginx/uwsgi;
		scgi_temp_path $dir/nginx/scgi;
		server { listen 127.0.0.9:$origin; root $dir/www; }
	}
END
PATH=$PATH:/usr/sbin nginx -e "$dir/nginx/error.log" -c "$dir/nginx.conf" &
pids+=($!)

# ---- tarn-proxy, and devices --------------------------------------------------------------------

# With tarnd, as it writes the settings; it needs root.
conf=$dir/tarn.conf
mkdir -p "$dir/vendors" "$dir/store" "$dir/run"
tarnd_start() {
	chown nobody "$dir/store"
	cat >"$conf" <<-END
		[proxy]
		listen = 127.0.0.1:$port
		admin_socket = $dir/run/proxy.sock
		[cache]
		path = $dir/store
		size = 256M
		[vendors]
		dir = $dir/vendors
		[keeper]
		socket = $dir/run/keeper.sock
		state = $dir/state
		proxy = $build/bin/tarn-proxy
		user = nobody
		[steer]
		mode = off
		[admin]
		listen = 127.0.0.1:$web
		confirm = 2m
		[log]
		level = notice
	END
	"$build/bin/tarnd" --config "$conf" 2>>"$dir/proxy.log" &
}
if [[ ${PAGE_NET:-} == own && -x $build/bin/tarnd ]]; then
	BUILD=$build "$here/../tools/wire" profile "$dir" "$origin"
	tarnd_start
else
	BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" -o "admin.listen=127.0.0.1:$web" &
fi
pids+=($!)
BUILD=$build "$here/../tools/wire" ready "$dir" || exit 1
password=$("$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k none admin password --first) || exit 1

device() { curl -sS -o /dev/null --max-time 10 "$@"; }
wait_until 10 device -f "http://127.0.0.1:$port/acme/index.xml" || exit 1
for _ in 1 2 3; do
	device "http://127.0.0.1:$port/acme/bases/base[1-12].dat"
done
for path in '%22%3E%3Cimg%20src=x%20onerror=tarnXss=1%3E%3Csvg%20onload=tarnXss=1%3E' "'onerror='tarnXss=1" \
	'%3Cscript%3EtarnXss=1%3C/script%3E' '"><img/src=x/onerror=tarnXss=1>'; do
	device --path-as-is "http://127.0.0.1:$port/acme/bases/$path"
	device --path-as-is -x "http://127.0.0.1:$port" "http://127.0.0.9:$origin/bases/$path"
	device -H "Host: $path" "http://127.0.0.1:$port/acme/bases/base1.dat"
	device -x "http://127.0.0.1:$port" -H "User-Agent: $path" "http://127.0.0.9:$origin/index.xml?$path"
	device -x "http://127.0.0.1:$port" "http://$path.example/"
done 2>/dev/null
BUILD=$build "$here/../tools/wire" idle "$dir"
# And one that goes on while all is looked at, for the live figures.
while :; do
	device --limit-rate 1M "http://127.0.0.1:$port/acme/bases/base[7-12].dat"
done 2>/dev/null &
pids+=($!)

mkfifo "$dir/tick"
# And one so slow, behind more than all sockets hold, that it is being served all the time.
while :; do # again when tarn-proxy was started again
	curl -sS -o /dev/null --limit-rate 50K "http://127.0.0.1:$port/acme/bases/big.dat" || read -rt 0.5 <>"$dir/tick"
done 2>/dev/null &
pids+=($!)

URL=https://127.0.0.1:$web/ PASSWORD=$password REQUESTS=37 CUTTING=admin.allow CUTTING_VALUE=127.0.0.0/8 CUTTING_OTHER=127.0.0.0/9 \
	SETTINGS=${PAGE_NET:-} HOSTILE="http://127.0.0.9/'onerror='tarnXss=1" \
	CHROMIUM=$(command -v chromium) PICTURES=$page/pictures MODULES=$page/node_modules \
	node "$here/browser.mjs" "$here/../../proxy/admin/page"
