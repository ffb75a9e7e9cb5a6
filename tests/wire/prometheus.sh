#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What Prometheus says of our metrics; that each query of the dashboard (proxy/admin/monitor) has an answer there while
# devices are served, and that each alert comes when it should, and else does not. `make deps-page` installs it. Grafana is
# no package of Debian: how the dashboard looks is not tested.
#
# timeout: 300
set -u
# shellcheck source=tests/wire/box.sh
. "$(dirname "$0")/box.sh"
monitor=$here/../../proxy/admin/monitor
web=$((port + 2)) server=$((port + 3))

command -v promtool >/dev/null || skip_all 'prometheus is not here: make deps-page'
box_start -o "admin.listen=127.0.0.1:$web"
mkdir "$dir/www"
for i in {1..9}; do head -c $((i * 1000)) /dev/urandom >"$dir/www/$i.bin"; done
curl -sS -o /dev/null "http://127.0.0.1:$port/acme/nothing" # the vendor isn't there: a failure to count
pace_start
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

# ---- the alerts, in made-up hours ---------------------------------------------------------------

# fault ALERT MINUTES [SERIES VALUES]...: by then this alert fires, and no other; a value a minute, as promtool has them.
fault() {
	local i names='' want=''
	[[ $1 == none ]] || want="[{ labels: '{alertname=\"$1\"}', value: 1 }]"
	printf -- '- interval: 1m\n  input_series:\n'
	for ((i = 3; i < $#; i += 2)); do
		names=${!i} j=$((i + 1))
		[[ $names == *'{'* ]] || names+='{}'
		names=${names/\{/'{instance="a",'}
		printf -- "  - { series: '%s', values: '%s' }\n" "${names/,\}/\}}" "${!j}"
	done
	printf "  promql_expr_test:\n  - { expr: 'count by (alertname) (ALERTS{alertstate=\"firing\"})', eval_time: %sm, exp_samples: %s }\n" "$2" "${want:-[]}"
}
bucket='tarn_request_first_byte_seconds_bucket{outcome="hit",le='
{
	printf 'rule_files: [%s]\nevaluation_interval: 1m\ntests:\n' "$(realpath "$monitor/alerts.yml")"
	fault none 500 'up{job="tarn"}' 1x600 tarn_selftest_failed_total 3x600 tarn_selftest_ok 1x600 tarn_reach_unreachable 0x600 \
		tarn_reach_switch_to_public_total '0 1x600' tarn_reach_switch_to_system_total '0 1x600' tarn_dns_hijacked_total 0x600 \
		tarn_store_commit_errors_total 2x600 tarn_store_bad_chunks_total 0x600 tarn_store_bad_records_total 0x600 \
		tarn_bytes_to_devices_total 0+1e8x600 tarn_bytes_from_vendor_total 0+1e7x600 tarn_flight_failed_total 0+1x600 \
		tarn_flight_started_total 0+10x600 tarn_loop_lag_seconds 0.01x600 tarn_conn_over_limit_total 7x600 \
		"$bucket\"0.1\"}" 0+10x600 "$bucket\"1\"}" 0+10x600 "$bucket\"+Inf\"}" 0+10x600 tarn_store_writer_lag_seconds 1x600 \
		'tarn_kernel_map_entries{map="vendors"}' 50x600 'tarn_kernel_map_limit{map="vendors"}' 100x600
	fault none 3 'up{job="tarn"}' 0x20
	fault TarnDown 10 'up{job="tarn"}' 0x20
	fault TarnSelftestFails 10 tarn_selftest_failed_total 0+1x20 tarn_selftest_ok 0x20
	fault TarnVendorUnreachable 15 tarn_reach_unreachable 1x20
	fault TarnPublicDns 30 tarn_reach_switch_to_public_total '0x5 1x60' tarn_reach_switch_to_system_total 0x60
	fault TarnDnsHijacked 20 tarn_dns_hijacked_total 0+1x30
	fault TarnStoreFails 20 tarn_store_commit_errors_total 0+1x30
	fault TarnStoreCorrupt 30 tarn_store_bad_chunks_total '0x5 1x60' tarn_store_bad_records_total 0x60
	fault TarnSavesNothing 480 tarn_bytes_to_devices_total 0+1e8x500 tarn_bytes_from_vendor_total 0+1e8x500
	fault TarnUpstreamErrors 40 tarn_flight_failed_total 0+1x60 tarn_flight_started_total 0+2x60
	fault TarnLoopLag 10 tarn_loop_lag_seconds 1x20
	fault TarnConnectionsFull 10 tarn_conn_over_limit_total 0+1x30
	fault TarnHitsSlow 40 "$bucket\"0.1\"}" 0x60 "$bucket\"1\"}" 0+10x60 "$bucket\"+Inf\"}" 0+10x60
	fault TarnWriterLags 20 tarn_store_writer_lag_seconds 60x30
	fault TarnKernelMapFull 20 'tarn_kernel_map_entries{map="vendors"}' 95x30 'tarn_kernel_map_limit{map="vendors"}' 100x30
} >"$dir/rules_test.yml"
check 'each alert comes with its fault, alone, and none when all is well' promtool test rules "$dir/rules_test.yml"
untested() {
	comm -23 <(sed -n 's/^ *- alert: //p' "$monitor/alerts.yml" | sort) <(grep -o 'alertname="[A-Za-z]*"' "$dir/rules_test.yml" | cut -d '"' -f 2 | sort -u) |
		tee "$dir/untested"
	[[ ! -s $dir/untested ]]
}
check 'no alert lacks such a test' untested
said() { jq -Rrn '[inputs | capture("^ +- alert: (?<alert>.*)$|^ +(?<key>summary|action): (?<text>.*)$")] | map(select(.key)) | length' "$monitor/alerts.yml"; }
check 'each says what is wrong and what to do' test "$(said)" = $((2 * $(grep -c -- '- alert:' "$monitor/alerts.yml")))

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

# ---- the dashboard, while devices are served ----------------------------------------------------

panels() { jq -c '.panels[] | select(.type != "row")' "$monitor/dashboard.json"; }
check 'each panel has a title, a unit, and of several lines each its name' eval "panels |
	jq -es 'all(.[]; .title and .fieldConfig.defaults.unit and (.targets | length == 1 or all(.[]; .legendFormat)))'"
# What Grafana needs of a panel: dashboards of its schema 30 on have a legend that says whether it is shown.
grid() {
	jq -e '[.panels[] | .gridPos + {id}] as $at | ([$at[].id] | length == (unique | length)) and
		all($at[]; .x >= 0 and .w > 0 and .h > 0 and .x + .w <= 24) and
		all($at[] as $a | $at[] | select(.id > $a.id) | {$a, b: .};
			.a.x >= .b.x + .b.w or .b.x >= .a.x + .a.w or .a.y >= .b.y + .b.h or .b.y >= .a.y + .a.h)' "$monitor/dashboard.json"
}
check 'panels have ids of their own, in a grid of 24, none upon another' grid
check 'each is of a kind that Grafana has, with its options' eval "jq -e '.schemaVersion >= 30 and all(.panels[];
	.type == \"row\" or (.datasource.type == \"prometheus\" and ([.targets[].refId] | length == (unique | length)) and
	(.type == \"stat\" and (.options.reduceOptions.calcs | length > 0) or
	.type == \"timeseries\" and (.options.legend | has(\"showLegend\") and has(\"calcs\")) and (.options.tooltip | has(\"sort\")))))' '$monitor/dashboard.json'"
# Its variables, as Grafana would fill them in. Of a rate there has to be traffic within the time that is looked at.
mkfifo "$dir/tick"
panels | jq -r '.title as $title | .targets[] | [$title, .expr] | @tsv' | sed 's/\$__rate_interval/20s/g; s/\$__range/1m/g; s/\$instance/.*/g' >"$dir/queries"
while :; do
	curl -sS -o /dev/null "http://127.0.0.1:$port/acme/[1-9].bin" -Z
	curl -sS -o /dev/null -X POST -d x "http://127.0.0.1:$port/acme/1.bin"
	read -rt 0.3 <>"$dir/tick"
done >/dev/null 2>&1 &
pids[traffic]=$!
empty() { # the queries whose answer is nothing, or no number
	local title expr
	while IFS=$'\t' read -r title expr; do
		curl -sS --max-time 2 -G "http://127.0.0.1:$server/api/v1/query" --data-urlencode "query=$expr" |
			jq -e '.status == "success" and (.data.result | length > 0 and any(.[]; .value[1] != "NaN"))' >/dev/null || echo "$title: $expr"
	done <"$dir/queries"
}
answered() {
	empty | tee "$dir/empty"
	[[ ! -s $dir/empty ]]
}
check "each of the dashboard's $(wc -l <"$dir/queries") queries has an answer" wait_until 60 answered || sed 's/^/# /' "$dir/empty"
check '... no variable is left in them' tap_not grep -F '$' "$dir/queries"
check 'the boxes to choose from are found' is 'count(count by (instance) (tarn_requests_total))' 1
done_testing
