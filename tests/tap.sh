# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The few words that script tests print TAP with; source it. A test is
#	check 'what must be true' command argument...
#	skip 'what would be checked' 'why it cannot be'
# and the script ends with `done_testing`, which prints the plan; a script that dies before has none,
# and tests/run counts that as a failure.

tap_count=0
tap_failed=0

# check WHAT COMMAND...: ok when COMMAND succeeds. Its output is shown when it does not.
check() {
	local what=$1 out status
	shift
	tap_count=$((tap_count + 1))
	out=$("$@" 2>&1)
	status=$?
	if ((status == 0)); then
		echo "ok $tap_count - $what"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $what"
	echo "# status $status of: $*"
	[[ -z $out ]] || printf '%s\n' "${out//$'\n'/$'\n# '}" | sed '1s/^/# /'
	return 1
}

# refuse WHAT COMMAND...: ok when COMMAND fails.
refuse() {
	local what=$1
	shift
	check "$what" tap_not "$@"
}

tap_not() {
	! "$@"
}

# skip WHAT WHY: a test that cannot run here, visibly.
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# skip_all WHY: nothing of this file can run here; ends the script.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# wait_until SECONDS COMMAND...: until COMMAND succeeds; fails when it has not by then. SECONDS is what it takes on a
# quiet machine. Only what is broken waits for the end, so that is a minute at least.
wait_until() {
	local deadline=$((${EPOCHREALTIME/./} + ($1 > 60 ? $1 : 60) * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/./} < deadline)) || return 1
		read -rt 0.02 <> <(:) || :
	done
}

done_testing() {
	echo "1..$tap_count"
	exit $((tap_failed != 0))
}
