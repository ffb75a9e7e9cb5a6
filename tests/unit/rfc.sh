#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The table "sentence of an RFC -> test -> result" (make rfc-table). A test's name begins with the section that it is
# about, as "RFC 9111 4.2.1: ..."; rfc.txt says which sections must have at least one. A section is one test
# here: it fails if it has no sentence, or if one of its sentences fails.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
build=${BUILD:-$here/../../build}
export CMOCKA_MESSAGE_OUTPUT=TAP

programs=(cache/fresh proxy/http/cachectl proxy/http/cond proxy/http/etag proxy/http/range
	proxy/policy_conditional proxy/policy_forward proxy/policy_freshness proxy/policy_key
	proxy/policy_reuse proxy/policy_storing proxy/policy_validation proxy/why/why)

# rows: "SECTION<tab>SENTENCE<tab>PROGRAM<tab>RESULT" of all that the programs say.
rows() {
	local program
	for program in "${programs[@]}"; do
		"$build/tests/unit/$program" 2>/dev/null | sed -nE \
			"s@^(ok|not ok) [0-9]+ - RFC (9110|9111) ([0-9.]+): (.*)@\2 \3\t\4\ttests/unit/$program.c\t\1@p"
	done
}

# section NAME: its rows are there, and none failed.
section() {
	awk -F'\t' -v s="$1" '$1 == s { n++; if ($4 != "ok") { bad++; print } } END { exit !(n && !bad) }' <<<"$table"
}

table=$(rows)
while IFS=$'\t' read -r name title; do
	[[ $name == \#* ]] && continue
	if [[ $title == *' -- '* ]]; then
		echo "# RFC $name ${title/ -- /: not for caches: }"
		continue
	fi
	awk -F'\t' -v s="$name" '$1 == s { printf "# RFC %-14s %-92s %-40s %s\n", $1, $2, $3, $4 }' <<<"$table"
	check "RFC $name ($title): $(awk -F'\t' -v s="$name" '$1 == s { n++ } END { print n + 0 }' <<<"$table") sentences" \
		section "$name"
done <"$here/rfc.txt"
done_testing
