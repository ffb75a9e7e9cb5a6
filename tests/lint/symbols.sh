#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# No two libraries define one global name. Programs are linked with several of them, and the linker
# takes the first definition it meets without a word: the wrong function would be called. So with the tests' own
# programs, which come before the system's in the PATH of tests: none has the name of one that scripts use.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh

libraries=("${BUILD:-build}"/lib/lib*.a)
[[ -e ${libraries[0]} ]] || skip_all 'the libraries are not built'

# "NAME LIBRARY" of each global definition; weak ones and the compiler's own do not count.
definitions() {
	nm -A --defined-only --extern-only "${libraries[@]}" 2>/dev/null |
		awk '$2 ~ /^[TDBRC]$/ && $3 !~ /^__/ { sub(/:.*/, "", $1); print $3, $1 }' | sort -u
}

check 'the libraries define something' test -n "$(definitions)"
twice=$(definitions | awk '{ print $1 }' | uniq -d)
check 'no name is defined in two libraries' test -z "$twice" ||
	definitions | grep -E "^($(tr '\n' '|' <<<"$twice" | sed 's/|$//')) " | sed 's/^/# /'

# Of those that every Debian has: what scripts call without thinking.
shadowing=$(for tool in tests/tools/*; do
	name=$(basename "$tool" .c)
	dpkg-query -S "/bin/$name" "/usr/bin/$name" 2>/dev/null
done | grep -E '^(coreutils|util-linux|procps|grep|sed|diffutils|findutils|tar|gzip|mawk|gawk|hostname|bash|dash)[:,]')
check "no program of tests/tools hides one of the system's" test -z "$shadowing" || echo "# $shadowing"

done_testing
