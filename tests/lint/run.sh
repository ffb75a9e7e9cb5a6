#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/run itself: on a small tree of its own it must count, and call a failure what is one.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/tap.sh
. ./tap.sh

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/tests/netns" "$tree/tests/wire"

# fixture NAME: its text comes from stdin.
fixture() {
	{
		echo '#!/bin/bash'
		cat
	} >"$tree/tests/netns/$1"
	chmod +x "$tree/tests/netns/$1"
}

fixture pass.sh <<<"printf '1..2\nok 1 - a\nok 2 - b\n'"
fixture fail.sh <<<"printf 'ok 1 - a\nnot ok 2 - the bad one\n# because of this\n1..2\n'; exit 1"
fixture fail0.sh <<<"printf 'not ok 1 - the bad one\n1..1\n'"
fixture status.sh <<<"printf '1..1\nok 1 - a\n'; exit 3"
fixture crash.sh <<<"printf '1..2\nok 1 - a\n'; kill -SEGV \$\$"
fixture skip.sh <<<"printf '1..2\nok 1 - a\nok 2 - b # SKIP no such device\n'"
fixture skipc.sh <<<"printf '1..2\nok 1 - a\nnot ok 2 # SKIP b_needs_c\n'"
fixture skipall.sh <<<"echo '1..0 # SKIP needs root'"
fixture slow.sh <<<$'# timeout: 1\necho 1..1; echo ok 1 - a; exec tail -f /dev/null'
fixture few.sh <<<"printf '1..3\nok 1 - a\n'"
fixture many.sh <<<"printf '1..1\nok 1 - a\nok 2 - b\n'"
fixture noplan.sh <<<"echo ok 1 - a"
fixture silent.sh <<<"exit 0"
fixture bail.sh <<<"printf '1..1\nok 1 - a\nBail out! no more\n'"
fixture plans.sh <<<"printf '1..1\nok 1 - a\n1..2\nok 1 - b\nok 2 - c\n'"
echo '. nothing' >"$tree/tests/netns/lib.sh" # not executable: no test

run() {
	TESTS_DIR=$tree/tests BUILD=$tree/build ./run "$@" >"$tree/out" 2>&1
}

# gives FILE STATUS SUM: running FILE alone ends so.
gives() {
	run "netns/$1"
	local status=$?
	[[ $status == "$2" && $(tail -n 1 "$tree/out") == "$3" ]] || {
		echo "status $status"
		cat "$tree/out"
		return 1
	}
}

says() {
	grep -qF -- "$1" "$tree/out" || { cat "$tree/out"; return 1; }
}

check 'a passing file' gives pass.sh 0 '2 passed, 0 failed, 0 skipped'
check 'a failing test' gives fail.sh 1 '1 passed, 1 failed, 0 skipped'
check '... is named in the list' says '  netns/fail.sh: the bad one'
check '... and its output is shown' says '# because of this'
check '... also if the file exits with 0' gives fail0.sh 1 '0 passed, 1 failed, 0 skipped'
check 'an exit status without a failed test' gives status.sh 1 '1 passed, 1 failed, 0 skipped'
check 'a file that crashes' gives crash.sh 1 '1 passed, 1 failed, 0 skipped'
check 'a skipped test' gives skip.sh 0 '1 passed, 0 failed, 1 skipped'
check '... with its reason' says '  netns/skip.sh: no such device (1)'
check 'a test that cmocka skips' gives skipc.sh 0 '1 passed, 0 failed, 1 skipped'
check '... by its name' says '  netns/skipc.sh: b_needs_c (1)'
check 'a file that skips all' gives skipall.sh 0 '0 passed, 0 failed, 1 skipped'
check '... with its reason' says '  netns/skipall.sh: needs root (1)'
check 'a file over its time limit' gives slow.sh 1 '1 passed, 1 failed, 0 skipped'
check 'fewer tests than planned' gives few.sh 1 '1 passed, 1 failed, 0 skipped'
check 'more tests than planned' gives many.sh 1 '2 passed, 1 failed, 0 skipped'
check 'no plan' gives noplan.sh 1 '1 passed, 1 failed, 0 skipped'
check 'no output at all' gives silent.sh 1 '0 passed, 1 failed, 0 skipped'
check 'bail out' gives bail.sh 1 '1 passed, 1 failed, 0 skipped'
check 'several plans in one file add up' gives plans.sh 0 '3 passed, 0 failed, 0 skipped'
refuse 'a test that is not there' run netns/absent.sh
refuse 'a group that is not there' run nonsense
refuse 'a group without any test' run crash
check '... has a sum all the same' says '0 passed, 1 failed, 0 skipped'

rm "$tree"/tests/netns/{fail0,status,crash,slow,few,many,noplan,silent,bail,plans}.sh
refuse 'all groups together' run
check '... are summed up' says '5 passed, 1 failed, 3 skipped'
check '... and logged' test -s "$tree/build/tests/logs/netns/pass.log"

# A second run, in a run of the whole alone, and for two files at most.
printf '#!/bin/bash\n[[ -e $0.ran ]] && { printf "1..1\\nok 1 - a\\n"; exit; }\n: >"$0.ran"\n%s\n' \
	"printf '1..2\nok 1 - a\nnot ok 2 - the unsteady one\n'; exit 1" >"$tree/tests/netns/unsteady.sh"
chmod +x "$tree/tests/netns/unsteady.sh"
check 'a file asked for by name has one run' gives unsteady.sh 1 '1 passed, 1 failed, 0 skipped'
rm "$tree/tests/netns/unsteady.sh.ran"
refuse 'the whole: who fails twice is red' run
check '... who passes in a second run is not' says '6 passed, 1 failed, 3 skipped'
check '... but named' says 'unsteady: failed first and passed when run once more:'
check '... and its first run is shown' says 'not ok 2 - the unsteady one'
rm "$tree/tests/netns/unsteady.sh.ran"
cp "$tree"/tests/netns/fail{,2}.sh
refuse 'with three red files' run
check '... nobody has a second run' says '7 passed, 3 failed, 3 skipped'
rm "$tree"/tests/netns/{unsteady,fail2}.sh*

mkdir -p "$tree/tests/unit" && touch "$tree/tests/unit/gone.c"
refuse 'a program that was not built' run unit
check '... is a failure with a name' says 'unit/gone.c'

printf 'vtest "pass"\nserver s1 -wait\n' >"$tree/tests/wire/broken.vtc"
refuse 'a broken varnishtest script' run wire
printf 'vtest "pass"\nshell {true}\n' >"$tree/tests/wire/broken.vtc"
check 'a good varnishtest script' run wire
check '... is one test' says '1 passed, 0 failed, 0 skipped'
printf 'vtest "skip"\nfeature cmd false\n' >"$tree/tests/wire/broken.vtc"
check 'a varnishtest script that skips' run wire
check '... is one skip' says '0 passed, 0 failed, 1 skipped'

# Interrupted in the middle: the test is ended, the sum still comes last, and it is a failure.
fixture pass.sh <<<"trap 'touch $tree/cleaned; exit' TERM; touch $tree/started; while :; do read -rt 1 <> <(:); done"
TESTS_DIR=$tree/tests BUILD=$tree/build ./run netns/pass.sh >"$tree/out" 2>&1 &
pid=$!
wait_until 10 test -e "$tree/started"
kill -TERM $pid
wait $pid
check 'interrupted: a failure' test $? = 1
check '... the test could clean up' test -e "$tree/cleaned"
check '... the sum comes last' test "$(tail -n 1 "$tree/out")" = '0 passed, 1 failed, 0 skipped'

done_testing
