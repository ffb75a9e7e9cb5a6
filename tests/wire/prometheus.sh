#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What Prometheus says of our metrics, and that the dashboard and the alert rules (proxy/admin/monitor) speak of
# metrics that there are. `make deps-page` installs it.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
monitor=$here/../../proxy/admin/monitor
web=$((port + 2)) server=$((port + 3))

command -v promtool >/dev/null || skip_all 'prometheus is not here: make deps-page'
box_start -o "admin.listen=127.0.0.1:$web"
curl -sS -o /dev/null "http://127.0.0.1:$port/acme/nothing" # the vendor isn't there: a failure to count
curl -sS --unix-socket "$dir/run/proxy.sock" http://x/metrics >"$dir/metrics" || exit 1

# promtool tells of what it merely dislikes on its output and by its status, too.
check 'promtool finds nothing to say against the metrics' promtool check metrics <"$dir/metrics"
check 'each has HELP and TYPE' test "$(grep -c '^# HELP' "$dir/metrics")" == "$(grep -c '^# TYPE' "$dir/metrics")"
check 'each worker has its lag' grep -q '^tarn_loop_worker_lag_seconds{worker="0"} ' "$dir/metrics"
check 'it is timed by its outcome' grep -q '^tarn_request_first_byte_seconds_count{outcome="[a-z]*"} 1' "$dir/metrics"
check 'the alert rules are well-formed' promtool check rules "$monitor/alerts.yml"
check 'the dashboard is JSON' jq -e '.panels | length > 10' "$monitor/dashboard.json"
# named FILE: no metric in it without a figure here. Of the kernel's side there is only the TYPE where tarn-proxy is alone;
# netns/selftest.sh sees their figures.
named() {
	comm -23 <(grep -o 'tarn_[a-z0-9_]*' "$1" | sort -u) \
		<(sed -nE 's/^(# TYPE (tarn_kernel_[a-z_]*) .*|(tarn_[a-z0-9_]*)[ {].*)/\2\3/p' "$dir/metrics" | sort -u) >"$dir/unknown"
	cat "$dir/unknown"
	[[ ! -s $dir/unknown ]]
}
check 'all metrics of the rules are there' named "$monitor/alerts.yml"
check 'all metrics of the dashboard are there' named "$monitor/dashboard.json"

# ---- a real one, as the README says -------------------------------------------------------------

token=$("$build/bin/tarnctl" -s "$dir/run/proxy.sock" -k none admin token --json | jq -r .token)
cat >"$dir/prometheus.yml" <<-END
	global: { scrape_interval: 1s, evaluation_interval: 1s }
	rule_files: ["$(realpath "$monitor")/alerts.yml"]
	scrape_configs:
	  - job_name: tarn
	    scheme: https
	    authorization: { credentials: $token }
	    tls_config: { insecure_skip_verify: true }
	    static_configs: [{ targets: ["127.0.0.1:$web"] }]
END
prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb" --log.level=warn \
	--web.listen-address="127.0.0.1:$server" >"$dir/prometheus.log" 2>&1 &
pids[prometheus]=$!
query() { curl -sS --max-time 2 -G "http://127.0.0.1:$server/api/v1/query" --data-urlencode "query=$1" | jq -er '.data.result[0].value[1]'; }
is() { [[ $(query "$1") == "$2" ]]; }
check 'Prometheus scrapes with the token' wait_until 20 is 'up{job="tarn"}' 1
check '... and has what we counted' wait_until 10 is tarn_requests_total 1
rules() { curl -sS --max-time 2 "http://127.0.0.1:$server/api/v1/rules" | jq -e '[.data.groups[].rules[]] | length >= 10 and all(.health == "ok")'; }
check 'it evaluates all alert rules' wait_until 20 rules
done_testing
