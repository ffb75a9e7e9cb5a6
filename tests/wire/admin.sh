#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The admin side over HTTPS: log-in, sessions, roles, and a set of attacks on it. The data plane's hits go on at their
# pace meanwhile.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
web=$((port + 2)) jar=$dir/jar
mkdir "$dir/www"
head -c 4096 /dev/urandom >"$dir/www/one.bin"
pace_start

start() { box_start -o "admin.listen=127.0.0.1:$web" -o "admin.names=tarn.example"; }
start

ctl() { "$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k none "$@"; }
counter() { ctl stat 2>/dev/null | awk -v n="$1" '$1 == n { print $2 }'; }
# web PATH [CURL OPTION]...: over HTTPS, as a browser that holds the jar; prints body, then the status on a line.
web() {
	local path=$1
	shift
	curl -sk --max-time 10 -b "$jar" -c "$jar" -w '\n%{http_code}\n' "$@" "https://127.0.0.1:$web$path"
}
# web_is STATUS PATH [CURL OPTION]...: the answer has this status.
web_is() {
	local want=$1 got
	shift
	got=$(web "$@")
	echo "$got"
	[[ $(tail -n 1 <<<"$got") == "$want" ]]
}
json() { printf 'Content-Type: application/json'; }
login() { web_is "$1" /api/v1/session -H "$(json)" -d "{\"password\": \"$2\", \"role\": \"${3:-operate}\"}"; }
heads() { curl -skI --max-time 10 "https://127.0.0.1:$web$1" | tr -d '\r'; }

# ---- whom it gives way to ------------------------------------------------------------------------

scheduled() { ps -L -o comm=,cls= -p "${pids[box]}" | awk '{ print $1, $2 }'; }
check 'its thread takes the core from no worker' eval "scheduled | tee '$dir/scheduled' | grep -qx 'tarn-proxy B' &&
	grep -qx 'worker/0 TS' '$dir/scheduled'"

# ---- before there is a password -----------------------------------------------------------------

check 'nobody is in' web_is 401 /api/v1/status
check 'without a password nobody gets in' login 401 ''
check 'one is made' eval "ctl admin password --first >'$dir/first'"
check 'and shown' grep -Eq '^[a-z2-9]{4}(-[a-z2-9]{4}){3}$' "$dir/first"
ctl admin password --first >"$dir/second" 2>&1
check 'at the first time alone' test $? == 3
password=$(<"$dir/first")
grep -aq "$password" "$dir/store/store.mdb" "$dir/proxy.log"
check 'it is kept and logged nowhere' test $? == 1

# ---- in and out ---------------------------------------------------------------------------------

check 'a wrong one does not do' login 401 wrong-password
check 'the right one does' login 200 "$password"
check 'the cookie is for this page alone' grep -Eq '^#HttpOnly_127.0.0.1	FALSE	/	TRUE	0	__Host-tarn	[0-9a-f]{64}$' "$jar"
check 'now all can be seen' web_is 200 /api/v1/status
csrf=$(web /api/v1/session | head -n -1 | jq -r .csrf)
check 'a session has a token' test ${#csrf} == 64
check 'a write without it is refused' web_is 403 /api/v1/session -X DELETE
check 'with a wrong one, too' web_is 403 /api/v1/session -X DELETE -H "X-Tarn-CSRF: ${csrf/?/x}"
check 'the session lives yet' web_is 200 /api/v1/status
new=a-longer-password
change() { web_is "$1" /api/v1/password -H "$(json)" -H "X-Tarn-CSRF: $csrf" -d "$2"; }
check 'the password is not changed without the old one' change 403 "{\"old\": \"nonsense123\", \"new\": \"$new\"}"
check 'nor to a short one' change 422 "{\"old\": \"$password\", \"new\": \"short\"}"
check 'but with it' change 200 "{\"old\": \"$password\", \"new\": \"$new\"}"
check 'a log-out ends it' web_is 204 /api/v1/session -X DELETE -H "X-Tarn-CSRF: $csrf"
check 'and it is over' web_is 401 /api/v1/status
check 'the old password is none' login 401 "$password"

stop box
rm -f "$jar"
start || exit 1
check 'the new one outlives a restart' login 200 "$new"
cp "$jar" "$dir/jar.operate"

# Bodies that come a few bytes a second, from more than there is room for. What became of them is looked at in the end.
head -c 60000 /dev/zero >"$dir/body"
for ((i = 0; i < 80; i++)); do
	curl -sk --max-time 100 --limit-rate 200 -H "$(json)" --data-binary "@$dir/body" -o /dev/null -w '%{exitcode}\n' \
		"https://127.0.0.1:$web/api/v1/session" >>"$dir/dripped" &
	pids[drip$i]=$!
done

# ---- roles --------------------------------------------------------------------------------------

check 'one for those that look' eval "ctl admin password --role view --json | jq -er .password >'$dir/view'"
rm -f "$jar"
check 'logs in' login 200 "$(<"$dir/view")" view
csrf=$(web /api/v1/session | head -n -1 | jq -r .csrf)
check 'sees' web_is 200 /api/v1/status
check 'and changes nothing' web_is 403 /api/v1/token -H "$(json)" -H "X-Tarn-CSRF: $csrf" -d '{}'
token=$(ctl admin token --json | jq -r .token)
rm -f "$jar"
check 'a token sees metrics' web_is 200 /metrics -H "Authorization: Bearer $token"
check 'a forged one does not' web_is 401 /metrics -H "Authorization: Bearer ${token/?/g}"
check 'nor does it change anything' web_is 403 /api/v1/token -H "Authorization: Bearer $token" -H "$(json)" -d '{}'

# ---- attacks ------------------------------------------------------------------------------------

check 'a forged cookie is none' web_is 401 /api/v1/status -H 'Cookie: __Host-tarn=0000000000000000000000000000000000000000000000000000000000000000'
check 'a name that was made to resolve to us is refused' web_is 421 /api/v1/session -H 'Host: evil.example'
check 'so it is for the page' web_is 421 / -H 'Host: evil.example' -H 'Accept-Encoding: gzip'
check 'our own name is not' web_is 401 /api/v1/session -H "Host: tarn.example:$web"
check 'a foreign page is refused' web_is 403 /api/v1/session -H 'Origin: https://evil.example' -H "$(json)" -d "{\"password\": \"$new\"}"
check 'a form of it, too' web_is 415 /api/v1/session -H 'Content-Type: text/plain' -d "{\"password\": \"$new\"}"
for path in /page/../../../../etc/passwd /page/..%2f..%2fetc%2fpasswd /%2e%2e/etc/passwd //etc/passwd /page/%00 /api/v1/; do
	check "$path leads nowhere" eval "web $path --path-as-is -H 'Accept-Encoding: gzip' | tail -n 1 | grep -Eq '^(400|404)$'"
done
split=$(heads '/api/v1/x%0d%0aSet-Cookie:%20a=b')
check 'a head is not split' tap_not grep -qi '^set-cookie' <<<"$split"
check 'a body of 1 MB is refused' eval "head -c 1000000 /dev/zero | web /api/v1/session -H '$(json)' --data-binary @- | grep -Eq '^(413|400|000)$'"
check 'so is a head of 100 kB' eval "web /api/v1/session -H 'X: $(printf %0100000d 0)' | tail -n 1 | grep -Eq '^(4..|000)$'"
check 'and JSON of great depth' web_is 400 /api/v1/session -H "$(json)" -d "{\"a\": $(printf '[%.0s' {1..5000})"
check 'plain HTTP is no way in' tap_not curl -s --max-time 5 "http://127.0.0.1:$web/"
check 'TLS 1.1 neither' tap_not curl -sk --max-time 5 --tls-max 1.1 "https://127.0.0.1:$web/"
all=$(heads /)
for want in "content-security-policy: default-src 'none'" 'x-frame-options: DENY' 'x-content-type-options: nosniff' \
	'referrer-policy: no-referrer'; do
	check "the page says $want" grep -qi "^$want" <<<"$all"
done

before=$(counter admin.login_limited)
for ((i = 0; i < 20; i++)); do login 401 wrong-again >/dev/null; done
check 'of 20 wrong passwords most are not looked at' test $(($(counter admin.login_limited) - before)) -ge 12
# A try is granted each second, by the clock. So the right one is sent after a wrong one that has just used up a try;
# should that second be over before it arrives, it is let in, and all begins again.
tries() { # COMMAND...: until it succeeds, at most 500 times
	local n
	for ((n = 0; n < 500; n++)); do "$@" && return; done
	return 1
}
limited() {
	local i jar=$dir/jar.limited
	for ((i = 0; i < 10; i++)); do
		rm -f "$jar"
		tries login 429 wrong-again && tries login 401 wrong-again && login 429 "$new" && return
	done
	return 1
}
waits() {
	local i
	for ((i = 0; i < 20; i++)); do
		curl -sk -D- -o /dev/null -H "$(json)" -d '{"password": "x"}' "https://127.0.0.1:$web/api/v1/session" |
			grep -qi '^retry-after: [0-9]' && return
	done
	return 1
}
check 'then the right one is not looked at either' limited
check 'an answer says how long to wait' waits

# Who holds a thousand connections and says nothing can't keep anybody out.
"$build/tests/tools/knock" -H 1000 -e 1000 -d 6000 127.0.0.1 "$web" x / >/dev/null 2>&1 &
pids[knock]=$!
check 'silent connections are bounded' wait_until 10 eval '(($(counter admin.over_limit) > 500))'
cp "$dir/jar.operate" "$jar"
check 'and others get in' wait_until 5 web_is 200 /api/v1/status
pace_of() { # the slowest of 50 hits in ms
	local i
	for ((i = 0; i < 50; i++)); do
		curl -s -o /dev/null -w '%{time_total}\n' "http://127.0.0.1:$port/acme/one.bin"
	done | sort -n | tail -n 1 | awk '{ print int($1 * 1000) }'
}
worst=$(pace_of)
check "hits go on meanwhile (the slowest took $worst ms)" test "$worst" -lt 500
stop knock # it may have ended by itself
# 28: curl's own patience ended first.
for ((i = 0; i < 80; i++)); do
	wait "${pids[drip$i]}"
	unset "pids[drip$i]"
done
check 'each slow body was given up' eval "grep -c . '$dir/dripped' | grep -qx 80 && ! grep -qx -e 0 -e 28 '$dir/dripped'"
cp "$dir/jar.operate" "$jar"
check 'and others get in' web_is 200 /api/v1/status
check 'nothing of a password is in the log' tap_not grep -Eq "$new|$(<"$dir/view")|$token" "$dir/proxy.log"
done_testing
