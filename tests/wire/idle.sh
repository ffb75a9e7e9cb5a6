#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# 1000 connections that were served and now are idle: what each costs, what the process has, and that all are
# answered afterwards.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
conns=${IDLE_CONNECTIONS:-1000}

mkdir "$dir/www"
head -c 20000 /dev/urandom >"$dir/www/one.bin"
pace_start
box_start -o proxy.workers=2 -o log.level=info

# The anonymous memory of the process in KiB. The wrapper has become tarn-proxy by exec.
anonymous() { awk '/^Anonymous:/ { print $2 }' "/proc/${pids[box]}/smaps_rollup"; }
is_idle() { grep -q idle "$dir/out"; }

before=$(anonymous)
mkfifo "$dir/go"
"$build/tests/tools/herd" -n "$conns" -w -b "$dir/www/one.bin" 127.0.0.1 "$port" /acme/one.bin \
	<"$dir/go" >"$dir/out" &
pids[herd]=$!
exec 3>"$dir/go"
check "$conns connections are served" wait_until 20 is_idle
after=$(anonymous)
echo "# anonymous memory: $before KiB before, $after KiB with $conns idle connections:" \
	"$(((after - before) * 1024 / conns)) bytes each"
check 'each costs at most 32 KiB' test $((after - before)) -le $((32 * conns))
check 'the process has at most 64 MiB' test "$after" -le 65536
echo >&3
wait "${pids[herd]}"
check 'all are answered afterwards' test $? == 0
unset 'pids[herd]'
check 'each with the right bytes' test "$(sed 1d "$dir/out" | jq .good)" == "$conns"

# Devices that are served once and go, one after the other: few sockets are left at any time, though each waits for its device to
# close first.
fds() { local each=("/proc/${pids[box]}/fd/"*); echo "${#each[@]}"; }
at_rest() { [[ $(fds) == "$rest" ]]; }
wait_until 20 eval 'rest=$(fds); wire idle; at_rest'
most=0 wrong=0
for ((i = 0; i < 200; i++)); do
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	printf 'HEAD /acme/one.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&4
	mapfile -t said <&4
	exec 4>&-
	[[ ${said[0]} == 'HTTP/1.1 200'* ]] || wrong=$((wrong + 1))
	now=$(fds)
	((now <= most)) || most=$now
done
echo "# $rest descriptors at rest, at most $most with 200 that came and went"
check 'two hundred come and go, each is answered' test $wrong = 0
check '... and few of them are left at any time' test $((most - rest)) -le 20
check '... none in the end' wait_until 10 at_rest
done_testing
