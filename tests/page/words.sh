#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The words of the admin page in its languages, and what no module of it may do: words.mjs, without a browser.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
command -v node >/dev/null || skip_all 'node is not here: make deps-page'
build=${BUILD:-$here/../../build}
settings=$(mktemp "${TMPDIR:-/tmp}/tarn-words.XXXXXX")
trap 'rm -f "$settings"' EXIT
"$build/bin/tarnctl" -c /dev/null --json config show >"$settings" || exit 1
node "$here/words.mjs" "$here/../../proxy/admin/page" "$settings"
