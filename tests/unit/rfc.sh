#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The table "sentence of an RFC -> test -> result" (make rfc-table). A test's name begins with the section that it is
# about, as "RFC 9111 4.2.1: ..."; rfc.txt says which sections must have at least one, and what each requires. A section is
# one test here: it fails if it has no sentence, or if one of its sentences fails. So is a requirement: it fails if a
# test that it names is not there, or fails. Some are cases on the wire (tests/compare/cases.txt), which are played here.
#
# timeout: 120
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

# cases: those of the wire that rfc.txt names.
cases() {
	awk -F'\t' '
		FNR == NR { n = split($4, t, / \| /); for (i = 1; i <= n; i++) if (sub(/^wire: /, "", t[i])) want[t[i]] = 1; next }
		/^case / { take = substr($0, 6) in want }
		take' "$here/rfc.txt" "$here/../compare/cases.txt"
}

# play: "CASE<tab>RESULT" of each, through a proxy with a profile that says nothing of its own.
play() {
	local port=$((20000 + (BASHPID + RANDOM) % 6000)) origin=$((26000 + (BASHPID + RANDOM) % 6000)) proxy
	cases >"$dir/cases"
	mkdir "$dir/proxy"
	WIRE_PROFILE=plain BUILD=$build "$here/../tools/wire" start "$dir/proxy" "$port" "$origin" -o log.level=error >/dev/null &
	proxy=$!
	if BUILD=$build "$here/../tools/wire" ready "$dir/proxy"; then
		"$build/tests/tools/dispute" -t "$origin" "$dir/cases" "Tarn=$port/acme" |
			sed -nE 's@^(ok|not ok) [0-9]+ - (.*) \([0-9. ]*\)$@\2\t\1@p'
	fi
	kill "$proxy"
	wait "$proxy"
}

# tell: of each section its sentences and of each requirement its tests, as comments, and behind "ok " or "not ok " what is
# a test here.
tell() {
	awk -F'\t' '
		function say(what, test, result) { printf "# %-110s %-88s %s\n", what, test, result }
		FILENAME == ARGV[1] {
			rows[$1]++
			told[$1] = told[$1] sprintf("# RFC %-14s %-92s %-40s %s\n", $1, $2, $3, $4)
			if ($4 != "ok") bad[$1]++
			if (unit[$2] == "" || unit[$2] == "ok") unit[$2] = $4
			next
		}
		FILENAME == ARGV[2] { wire["wire: " $1] = $2; next }
		/^#/ || /^$/ { next }
		/^\t/ {
			what = "RFC " section " " $2 ": " $3
			n = split($4, tests, / \| /)
			result = n ? "ok" : "not ok"
			for (i = 1; i <= n; i++) {
				r = tests[i] ~ /^wire: / ? wire[tests[i]] : unit[tests[i]]
				say(what, tests[i], r == "" ? "missing" : r)
				if (r != "ok") result = "not ok"
			}
			print result " " what
			next
		}
		{ section = $1 }
		/ -- / { sub(/\t/, " "); sub(/ -- /, ": not for caches: "); print "# RFC " $0; next }
		{
			printf "%s", told[$1]
			print (rows[$1] && !bad[$1] ? "ok" : "not ok") " RFC " $1 " (" $2 "): " rows[$1] + 0 " sentences"
		}' <(rows) "$dir/wire" "$here/rfc.txt"
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/tarn-rfc.XXXXXX")
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT

play >"$dir/wire" 2>/dev/null
while IFS= read -r line; do
	case $line in
	'ok '*) check "${line#ok }" true ;;
	'not ok '*) check "${line#not ok }" false ;;
	*) echo "$line" ;;
	esac
done < <(tell)
done_testing
