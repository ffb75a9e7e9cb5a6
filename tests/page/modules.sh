# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# What the tests in a browser need beyond the other tests; source it after tap.sh, with `build` and `page` set: playwright-core
# and axe-core come from npm by the lock file, once, to build/page/node_modules.
place=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for program in node npm chromium nginx; do
	command -v $program >/dev/null || skip_all "$program is not here: make deps-page"
done
(($(node -p 'process.versions.node.split(".")[0]') >= 18)) || skip_all "node is older than 18"

# Two copies of this test may begin at once.
modules() {
	cmp -s "$place/package-lock.json" "$page/node_modules/.of" && return 0
	mkdir -p "$page"
	cp "$place/package.json" "$place/package-lock.json" "$page/"
	npm ci --prefix "$page" --no-audit --no-fund --ignore-scripts >"$page/npm.log" 2>&1 || return 1
	cp "$place/package-lock.json" "$page/node_modules/.of"
}
mkdir -p "$build"
exec 9>"$build/page.lock"
flock 9
modules || skip_all "npm brings no playwright-core: $(grep -m1 'ERR! \(code\|errno\)' "$page/npm.log")"
exec 9>&-
