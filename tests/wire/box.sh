# shellcheck shell=bash
# shellcheck disable=SC2034 # who sources this reads what it sets
# SPDX-License-Identifier: Apache-2.0
#
# What a test here begins with: a folder, ports, and processes that are gone when it ends. Source it first.
#
#	curl --> tarn-proxy 127.0.0.1:PORT --> pace 127.0.0.9:ORIGIN, with what is in DIR/www
#
# Sets here, build, dir, port and origin; the ports from port + 2 to port + 15 are the test's own. Who starts a process puts
# it into `pids`, by a name. Where the test has a function at_end, that is called after they have ended.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=${BUILD:-$here/../../build}
export BUILD=$build
PATH=$PATH:/usr/sbin

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-$(basename "$0" .sh).XXXXXX")
chmod 755 "$dir"
port=$((20000 + 16 * ((BASHPID + RANDOM) % 750))) origin=$((port + 1))
declare -A pids=()

finish() {
	local pid
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	! declare -F at_end >/dev/null || at_end
	rm -rf "$dir"
}
trap finish EXIT

# stop NAME [SIGNAL]: ends that process, if there is one, and waits for it; gives its status.
stop() {
	local pid=${pids[$1]:-}
	[[ -n $pid ]] || return 0
	unset "pids[$1]"
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# wire COMMAND [ARGUMENT...]: tests/tools/wire, about this test's box.
wire() { "$here/../tools/wire" "$1" "$dir" "${@:2}"; }

# box_start [-o SECTION.KEY=VALUE]...: it serves then.
box_start() {
	"$here/../tools/wire" start "$dir" "$port" "$origin" "$@" &
	pids[box]=$!
	wire ready || exit 1
}

# pace_start [OPTION...]: the vendor, at once; what it is asked for stands in DIR/requests.
pace_start() {
	mkdir -p "$dir/www"
	"$build/tests/tools/pace" "$@" 127.0.0.9 "$origin" "$dir/www" >"$dir/requests" &
	pids[pace]=$!
	wait_until 10 grep -q ready "$dir/requests" || exit 1
}

# nginx_start: the vendor as one nginx, with what comes from stdin in its http block; DIR gets nginx.conf, nginx.log (its
# errors) and nginx/ (what it puts aside).
nginx_start() {
	mkdir -p "$dir/nginx"
	{
		printf 'pid %s/nginx.pid;\nerror_log stderr;\nevents { worker_connections 256; }\nhttp {\n' "$dir"
		printf '%s_temp_path '"$dir"'/nginx;\n' client_body proxy fastcgi uwsgi scgi
		cat
		echo '}'
	} >"$dir/nginx.conf"
	nginx -e stderr -p "$dir" -c "$dir/nginx.conf" -g 'daemon off; master_process off;' 2>"$dir/nginx.log" &
	pids[nginx]=$!
}
