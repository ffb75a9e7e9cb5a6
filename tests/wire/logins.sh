#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
#
# A flood of log-ins: passwords are checked one after another on a thread of their own, so the control loop answers others
# meanwhile; and what many ask at once is granted no more than what they ask one by one.
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
web=$((port + 2)) flood=20
json='Content-Type: application/json'

ctl() { "$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k none "$@"; }
counter() { ctl stat 2>/dev/null | awk -v n="$1" '$1 == n { print $2 }'; }
login() { # ADDRESS PASSWORD: prints status and seconds
	curl -sk --max-time 20 --interface "$1" -o /dev/null -w '%{http_code} %{time_total}\n' -H "$json" \
		-d "{\"password\": \"$2\"}" "https://127.0.0.1:$web/api/v1/session"
}
pace() { # the slowest of so many questions, ms
	curl -s --max-time 20 --unix-socket "$dir/run/proxy.sock" -o /dev/null -w '%{time_total}\n' "http://x/api/v1/session?[1-$1]" |
		sort -n | tail -n 1 | awk '{ print int($1 * 1000) }'
}

box_start -o "admin.listen=127.0.0.1:$web" -o admin.allow=127.0.0.0/8
password=$(ctl admin password --first)
rest=$(pace 300)
# Let in at once, ever again: what it takes is what a check takes.
alone=$(login 127.0.0.1 "$password")
check 'the right password is let in' test "${alone% *}" = 200
one=$(awk '{ print int($2 * 1000) }' <<<"$alone")

flood() { # ADDRESS...: wrong passwords at once, while others are answered; sets `worst`
	local address logins=()
	: >"$dir/answers"
	for address; do
		login "$address" wrong-again >>"$dir/answers" &
		logins+=($!)
	done
	worst=$(pace 600)
	wait "${logins[@]}"
}

# One address: five wrong ones are free, whether they come one by one or at once.
before=$(counter admin.login_wrong)
# shellcheck disable=SC2046 # words
flood $(yes 127.0.0.40 | head -n $flood)
check 'five wrong passwords of one address are looked at' test $(($(counter admin.login_wrong) - before)) = 5
check '... the others are told to wait' test "$(grep -c '^429 ' "$dir/answers")" = $((flood - 5))
check '... and that address has to wait now' eval "[[ \$(login 127.0.0.40 '$password') == 429* ]]"

before=$(counter admin.login_wrong)
flood 127.0.0.{10..29}
echo "# one log-in took $one ms, another question at most $rest ms at rest, $worst ms during $flood log-ins"
check 'all log-ins of many addresses were answered' test "$(grep -cE '^(401|429) ' "$dir/answers")" = $flood
check '... and looked at but those over the limit of all' test $(($(counter admin.login_wrong) - before)) -ge 10
check "none of the others waited for several of them ($worst ms)" test "$worst" -lt $((4 * one))

check 'one who has the password is let in all the same' wait_until 20 eval "[[ \$(login 127.0.0.2 '$password') == 200* ]]"

# It ends while passwords wait for their turn.
for address in 127.0.0.{50..59}; do
	login "$address" wrong-again >/dev/null &
done
kill -TERM "${pids[box]}"
wait "${pids[box]}"
check 'it ends well in the midst of it' test $? = 0
unset "pids[box]"
wait
done_testing
