#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Malformed and ambiguous messages of devices and of origins: tests/tools/smuggle.c and its table of cases.
#
# timeout: 360
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"

box_start -o log.level=error
"$build/tests/tools/smuggle" "$port" "$origin" "$dir/run/proxy.sock"
