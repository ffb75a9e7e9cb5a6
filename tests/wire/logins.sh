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

# Who is logged in and changes it waits like all others, and keeps nobody else waiting.
jar=$dir/jar
logged_in() {
	csrf=$(curl -sk --interface 127.0.0.2 -c "$jar" -H "$json" -d "{\"password\": \"$password\"}" "https://127.0.0.1:$web/api/v1/session" | jq -r .csrf)
	[[ $csrf != null ]]
}
wait_until 20 logged_in
change() { # OLD NEW: prints the status
	curl -sk --max-time 20 --interface 127.0.0.2 -b "$jar" -o "$dir/change" -w '%{http_code}\n' -H "$json" -H "X-Tarn-CSRF: $csrf" \
		-d "{\"old\": \"$1\", \"new\": \"$2\"}" "https://127.0.0.1:$web/api/v1/password"
}
# Whoever has told wrong ones waits first.
check 'a wrong old password changes none' wait_until 20 eval "[[ \$(change wrong-again another-one-1) == 403 ]]"
check '... nor does a short new one' wait_until 20 eval "[[ \$(change '$password' short) == 422 ]]"
wait_until 20 logged_in
before=$(curl -sk -o /dev/null -w '%{http_code}' -b "$jar" "https://127.0.0.1:$web/api/v1/session")
changes=()
for n in {1..20}; do
	curl -s --unix-socket "$dir/run/proxy.sock" -o /dev/null -X POST -H "$json" -d "{\"role\": \"view\", \"new\": \"for-viewers-$n\"}" http://x/api/v1/password &
	changes+=($!)
done
change "$password" another-one-1 >"$dir/changed" &
changes+=($!)
worst=$(pace 600)
wait "${changes[@]}"
echo "# another question at most $worst ms while 21 passwords were changed"
check 'a right one does' test "$before $(cat "$dir/changed")" = '200 200'
check "... and nobody waited for several of them ($worst ms)" test "$worst" -lt $((4 * one))
check 'the session that did it stays' test "$(curl -sk -o /dev/null -w '%{http_code}' -b "$jar" "https://127.0.0.1:$web/api/v1/session")" = 200
check 'the new one lets in' wait_until 20 eval "[[ \$(login 127.0.0.3 another-one-1) == 200* ]]"
check '... the old one does not' wait_until 20 eval "[[ \$(login 127.0.0.4 '$password') == 401* ]]"
password=another-one-1
# A session that ends while its change waits behind others changes nothing.
wait_until 20 logged_in
changes=()
for n in {1..20}; do
	curl -s --unix-socket "$dir/run/proxy.sock" -o /dev/null -X POST -H "$json" -d "{\"role\": \"view\", \"new\": \"for-viewers-$n\"}" http://x/api/v1/password &
	changes+=($!)
done
change "$password" another-one-2 >"$dir/changed" &
changing=$!
# shellcheck disable=SC2034 # for what is evaluated
asked=$(counter admin.requests)
wait_until 5 eval '(($(counter admin.requests) > asked + 1))'
curl -sk -b "$jar" -H "X-Tarn-CSRF: $csrf" -X DELETE "https://127.0.0.1:$web/api/v1/session"
wait "$changing" "${changes[@]}"
check 'who logs out while a change waits is asked to log in' test "$(cat "$dir/changed")" = 401 || cat "$dir/change"
check '... and nothing was changed' wait_until 20 eval "[[ \$(login 127.0.0.5 '$password') == 200* ]]"

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
