#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The words of the admin page in its languages, and what no module of it may do: words.mjs, without a browser.
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/../wire/box.sh"
command -v node >/dev/null || skip_all 'node is not here: make deps-page'
"$build/bin/tarnctl" -c /dev/null --json config show >"$dir/settings" || exit 1
box_start
curl -sS --unix-socket "$dir/run/proxy.sock" -o "$dir/counters" http://x/api/v1/stat || exit 1
node "$here/../page/words.mjs" "$here/../../proxy/admin/page" "$dir/settings" "$dir/counters"
