#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# 1000 connections that were served and now are idle: what each costs, what the process has, and that all are
# answered afterwards.
#
# timeout: 300
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=${BUILD:-$here/../../build}
conns=${IDLE_CONNECTIONS:-1000}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-idle.XXXXXX")
port=$((20000 + (BASHPID + RANDOM) % 6000))
origin=$((26000 + (BASHPID + RANDOM) % 6000))

finish() {
	[[ -z ${herd:-} ]] || kill "$herd" 2>/dev/null
	[[ -z ${proxy:-} ]] || kill "$proxy" 2>/dev/null
	[[ -z ${pace:-} ]] || kill "$pace" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
chmod 755 "$dir"

mkdir "$dir/www"
head -c 20000 /dev/urandom >"$dir/www/one.bin"
"$build/tests/tools/pace" 127.0.0.9 "$origin" "$dir/www" >"$dir/requests" &
pace=$!
wait_until 10 grep -q ready "$dir/requests" || exit 1
BUILD=$build "$here/../tools/wire" start "$dir" "$port" "$origin" -o proxy.workers=2 -o log.level=info &
proxy=$!
BUILD=$build "$here/../tools/wire" ready "$dir" || exit 1

# The anonymous memory of the process in KiB. The wrapper has become tarn-proxy by exec.
anonymous() { awk '/^Anonymous:/ { print $2 }' "/proc/$proxy/smaps_rollup"; }
is_idle() { grep -q idle "$dir/out"; }

before=$(anonymous)
mkfifo "$dir/go"
"$build/tests/tools/herd" -n "$conns" -w -b "$dir/www/one.bin" 127.0.0.1 "$port" /acme/one.bin \
	<"$dir/go" >"$dir/out" &
herd=$!
exec 3>"$dir/go"
check "$conns connections are served" wait_until 20 is_idle
after=$(anonymous)
echo "# anonymous memory: $before KiB before, $after KiB with $conns idle connections:" \
	"$(((after - before) * 1024 / conns)) bytes each"
check 'each costs at most 32 KiB' test $((after - before)) -le $((32 * conns))
check 'the process has at most 64 MiB' test "$after" -le 65536
echo >&3
wait "$herd"
check 'all are answered afterwards' test $? == 0
herd=
check 'each with the right bytes' test "$(sed 1d "$dir/out" | jq .good)" == "$conns"
done_testing
