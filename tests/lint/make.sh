#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The Makefile on a small tree of its own: what is built, what is built again, and what is not.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
command -v kconfig-conf >/dev/null || skip_all 'kconfig-frontends is not installed'

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp --parents Makefile Kconfig ./*/build.mk image/cross.mk tests/deps tests/deps.txt tests/run tests/lint/help.awk "$tree"
cd "$tree" || exit 1
unset MAKEFLAGS MAKELEVEL MFLAGS BUILD

# builds ARGUMENT...: make succeeds; what it printed is in `out`.
builds() {
	make --no-print-directory "$@" >out 2>&1 || { cat out; return 1; }
}
said() {
	grep -qE -- "$1" out || { cat out; return 1; }
}

check 'help in an empty tree' builds help
check '... makes nothing' test ! -e build
check 'an empty tree' builds
check '... has nothing left to do' builds -q

mkdir -p firmware/base proxy
printf 'int base_one(void);\n' >firmware/base/one.h
printf '#include "firmware/base/one.h"\nint base_one(void)\n{\n\treturn 1;\n}\n' >firmware/base/one.c
printf '#include "firmware/base/one.h"\nint main(void)\n{\n\treturn base_one() - 1;\n}\n' >proxy/main.c
check 'new sources need no edit' builds
check '... are a program that runs' build/bin/tarn-proxy
check '... and no other program' test "$(ls build/bin)" = tarn-proxy
check '... position independent' grep -q 'DYN' <(readelf -h build/bin/tarn-proxy)
check '... bound at start' grep -q 'BIND_NOW' <(readelf -d build/bin/tarn-proxy)
refuse '... without libraries it does not use' grep -q 'libevent' <(readelf -d build/bin/tarn-proxy)
check '... and nothing is left to do' builds -q

find build firmware proxy -type f -exec touch -d '1 minute ago' {} +
touch firmware/base/one.h
check 'a header that changed' builds
check '... compiles who includes it' said 'CC +proxy/main.c'
check '... once' builds -q

check 'other flags' builds 'HARD=-DOTHER'
check '... compile everything again' said 'CC +firmware/base/one.c'
builds

printf 'int base_two(void);\nint base_two(void)\n{\n\treturn 2;\n}\n' >firmware/base/two.c
check 'one more source' builds
check '... goes into the library' grep -q two.o <(ar t build/lib/libbase.a)
rm firmware/base/two.c
check 'a source that went' builds
refuse '... leaves the library' grep -q two.o <(ar t build/lib/libbase.a)

printf 'int unused(int a);\nint unused(int a)\n{\n\treturn 0;\n}\n' >firmware/base/bad.c
refuse 'a warning is an error' builds
rm firmware/base/bad.c
builds

printf '#if CONFIG_CHUNK_BYTES != 8176\n#error not what was chosen\n#endif\nextern int x;\n' >firmware/base/chosen.c
echo CONFIG_CHUNK_BYTES=8176 >.config
check 'a choice in .config reaches C' builds
check '... and the rest has its default' grep -qx '#define CONFIG_COMMIT_MS 1000' build/config.h
rm .config
refuse 'without .config the default is back' builds
check '... for this reason' said 'not what was chosen'
rm firmware/base/chosen.c

builds
check "this machine's own architecture, named, is the same build" builds -q ARCH="$(dpkg --print-architecture)"
refuse 'one that can not be built is refused' builds ARCH=pdp11
check '... with the one that can' said 'only arm64'
if [[ $(dpkg --print-architecture) != arm64 ]]; then
	refuse "so is running another machine's programs" builds ARCH=arm64 test
	check '... and is called that' said 'not run them'
fi

check 'install puts programs into place' builds install DESTDIR="$tree/dest" PREFIX=/usr
check '... there' test -x dest/usr/bin/tarn-proxy
check 'clean' builds clean
check '... leaves nothing' test ! -e build

done_testing
