#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Origins that die in the middle (tests/tools/dying.c), and what is stored of that: now, and after a restart.
#
# timeout: 600
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"

# No row is about an origin that is slow: on a machine that is, none may count as such.
start() {
	box_start -o cache.size=3G -o log.level=error \
		-o upstream.connect_timeout=20s -o upstream.first_byte_timeout=20s -o upstream.idle_timeout=20s
}

start
"$build/tests/tools/dying" "$port" "$origin" "$dir/run/proxy.sock"
failed=$?
stop box
start
"$build/tests/tools/dying" -s "$port" "$origin" "$dir/run/proxy.sock" || failed=1
exit $failed
