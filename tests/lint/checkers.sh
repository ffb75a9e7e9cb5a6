#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The checkers of `make lint` refuse what they are there to refuse.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
cd "$lint/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{proxy/http,cache,bpf,firmware/{base,net,keeper},tests/unit,attic}
spdx='/* SPDX-License-Identifier: Apache-2.0 */'
both='/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */'

# source_file PATH [INCLUDE]
source_file() {
	local licence=$spdx
	[[ $1 != bpf/* ]] || licence=$both
	printf '%s\n' "$licence" >"$tree/$1"
	[[ $# == 1 ]] || printf '#include "%s"\n' "$2" >>"$tree/$1"
}

# arrow PATH INCLUDE: whether a tree in which PATH includes INCLUDE is accepted.
arrow() {
	local status
	source_file "$1" "$2"
	"$lint/layers" "$tree"
	status=$?
	rm "$tree/$1"
	return "$status"
}

source_file cache/store.h firmware/base/span.h
source_file firmware/base/span.h
source_file firmware/net/link.h firmware/base/span.h
source_file firmware/heritage.h
source_file proxy/http/head.h firmware/base/span.h
source_file bpf/abi.h

check 'a tree whose arrows go down' "$lint/layers" "$tree"
check 'proxy may use cache' arrow proxy/main.c cache/store.h
check 'proxy may use its rooms' arrow proxy/main.c proxy/http/head.h
check 'keeper may use the BPF ABI' arrow firmware/keeper/main.c bpf/abi.h
check 'tests may use everything' arrow tests/unit/x.c proxy/http/head.h
refuse 'cache must not use proxy' arrow cache/store.c proxy/http/head.h
refuse 'base must not use cache' arrow firmware/base/span.c cache/store.h
refuse 'proxy must not use the net' arrow proxy/main.c firmware/net/link.h
refuse 'proxy/http must not use cache' arrow proxy/http/head.c cache/store.h
refuse 'keeper must not use proxy' arrow firmware/keeper/main.c proxy/http/head.h
refuse 'bpf must use nobody' arrow bpf/x.bpf.c firmware/base/span.h
refuse 'an include from elsewhere than the top' arrow proxy/http/head.c head.h
refuse 'an include of what is not there' arrow cache/store.c cache/gone.h
refuse 'a folder without an entry' arrow attic/x.c cache/store.h

licence() {
	local status
	printf '%s\n' "$2" >"$tree/$1"
	"$lint/spdx" "$tree"
	status=$?
	rm "$tree/$1"
	return "$status"
}

check 'a tree with licence lines' "$lint/spdx" "$tree"
check 'a C file with its line' licence cache/x.c "$spdx"
check 'a BPF file with both licences' licence bpf/x.bpf.c "$both"
refuse 'a C file without a line' licence cache/x.c '/* nothing */'
refuse 'a script without a line' licence tests/x.sh '#!/bin/sh'
refuse 'a BPF file under one licence' licence bpf/x.bpf.c "$spdx"

{
	echo 'int long_one(int a)'
	echo '{'
	yes '	a++;' | head -n 90
	echo '}'
	yes '' | head -n 500
} >"$tree/cache/long.c"
report=$("$lint/lengths" "$tree")
check 'a long function is reported' grep -q 'function of 91 lines: cache/long.c:2 long_one' <<<"$report"
check 'a long file is reported' grep -q 'file of 593 lines: cache/long.c' <<<"$report"

done_testing
