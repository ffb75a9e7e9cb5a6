#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# Built twice from the same lock, in folders of different names and depths, at different times, by people with another umask,
# language, time zone and number of cores: the same bytes.
set -u
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../../tap.sh"
top=$(realpath "$(dirname "$0")/../../..")
"$top/tests/deps" build image >/dev/null 2>&1 || skip_all 'packages for building the image can not be installed (tests/deps.txt)'
"$top/image/fetch" >/dev/null 2>&1 || skip_all 'the packages of the lock can not be fetched'
work=$(mktemp -d /tmp/tarn-same.XXXXXX)
trap 'rm -rf "$work"' EXIT

a=$work/one b=$work/another/much_deeper/folder
# copied FOLDER: the tree of this clone, there.
copied() {
	mkdir -p "$1"
	(cd "$top" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp -P --parents -t "$1")
}
# built FOLDER CORES: there, and not where BUILD says; and an image of it.
built() {
	(cd "$1" && env -u BUILD make -j"$2" all boot-programs && IMAGE_FAST=1 BUILD=$1/build image/build) >"$work/log" 2>&1 ||
		{ tail -n 20 "$work/log"; return 1; }
}
other() {
	umask 077
	export TARN_CACHE=${TARN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tarn}
	export TZ=Asia/Tokyo LANG=C LC_ALL=C USER=somebody HOSTNAME=elsewhere HOME=$work
	cp -r "$b.from" "$b" && built "$b" 2
}
check 'there are two copies of the sources' eval 'copied "$a" && copied "$b.from"'
check 'one is built' built "$a" 1 || done_testing
check 'the other is, elsewhere, and later' other || done_testing
for file in "$a"/build/tarn-*; do
	check "the same bytes: ${file##*/}" cmp "$file" "$b/build/${file##*/}"
done
check 'all of them' test "$(find "$a/build" -maxdepth 1 -name 'tarn-*' | wc -l)" = 4
done_testing
