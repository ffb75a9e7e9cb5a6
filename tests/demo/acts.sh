# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What happens in the demo, act by act, and the table at its end. Sourced by ./run.

ROWS=()

tarnctl() { # as the admin of the box would call it; its status may say "degraded"
	"$BUILD/bin/tarnctl" --socket "$WORK/run/proxy.sock" --keeper "$WORK/run/keeper.sock" "$@" 2>/dev/null || :
}

counter() { # NAME: of tarn-proxy, since it was started
	tarnctl stat | awk -v name="$1" '$1 == name { print $2 }'
}

update() { # DEVICE GENERATION: what an update client does; checks size and digest of all that it got
	local pc=$1 dir=$WORK/$1
	mkdir -p "$dir/bases"
	ns "$pc" curl -sf --max-time 20 -o "$dir/index" http://s00.av.example/index/u1313g.xml || return 1
	grep -q "Generation=\"$2\"" "$dir/index" || {
		echo "$pc got an index that is not of generation $2" >&2
		return 1
	}
	# Both mirrors in turn, as the vendor's clients are spread over them; only what the device has not.
	sed -n 's/.*Name="\([^"]*\)" Size="[0-9]*" Sha256="\([0-9a-f]*\)".*/\2  \1/p' "$dir/index" >"$dir/sums"
	(cd "$dir" && sha256sum -c --quiet sums 2>/dev/null) | sed -n 's/: FAILED.*//p' |
		awk -v d="$dir" '{ printf "url = http://s0%d.av.example/%s\noutput = %s/%s\n", NR % 2, $1, d, $1 }' >"$dir/todo"
	ns "$pc" curl -sf --max-time 120 --retry 0 --config "$dir/todo" || return 1
	(cd "$dir" && sha256sum -c --quiet sums)
}

updates() { # TITLE GENERATION DEVICE...: these devices update at the same time; a row of the table
	local title=$1 generation=$2 line devices began pc failed=0 took
	local -A job=()
	shift 2
	counted
	line=$(line_bytes)
	devices=$(device_bytes)
	began=${EPOCHREALTIME/./}
	for pc; do
		update "$pc" "$generation" 2>"$WORK/$pc.err" &
		job[$pc]=$!
	done
	for pc; do
		wait "${job[$pc]}" || {
			failed=$((failed + 1))
			say "  $pc FAILED: $(cat "$WORK/$pc.err")"
		}
	done
	took=$((${EPOCHREALTIME/./} - began))
	row "$title" "$#" "$took" $(($(device_bytes) - devices)) $(($(line_bytes) - line))
	[ "$failed" = 0 ] || die "$failed of $# devices failed"
}

counted() { # where tarn-proxy's counters stand before an act; nothing while it does not run
	REQUESTS=$(counter requests)
	COLLAPSED=$(counter request.collapsed)
}

row() { # TITLE DEVICES MICROSECONDS BYTES_TO_DEVICES BYTES_OVER_LINE
	local requests=- collapsed=-
	if [ -n "$REQUESTS" ]; then
		requests=$(($(counter requests) - REQUESTS))
		collapsed=$(($(counter request.collapsed) - COLLAPSED))
	fi
	ROWS+=("$(awk -v t="$1" -v n="$2" -v us="$3" -v d="$4" -v l="$5" -v r="$requests" -v c="$collapsed" 'BEGIN {
		printf "%-46s %7d %7.1f %8s %9s %10.1f %10.1f %7.1f", t, n, us / 1e6, r, c, d / 1048576, l / 1048576, (d ? 100 * (1 - l / d) : 0) }')")
	LAST_US=$3
	printf '  %s\n' "$(awk -v n="$2" -v us="$3" -v d="$4" -v l="$5" 'BEGIN {
		printf "%d device%s done in %.1f s: %.1f MiB to devices, %.1f MiB over the line", n, (n > 1 ? "s" : ""), us / 1e6, d / 1048576, l / 1048576 }')"
}

forget() { # DEVICE...: as newly installed
	local pc
	for pc; do rm -rf "${WORK:?}/$pc"; done
}

act_without() {
	act "Without Tarn: the box is a plain bridge"
	updates "without Tarn: one device, full update" 1 pc1
	DIRECT_US=$LAST_US
	updates "without Tarn: the two others at once" 1 pc2 pc3
	forget "${PCS[@]}"
}

armed() {
	tarnctl --json status | jq -e '.keeper.armed' >/dev/null
}

act_start() {
	act "Tarn starts"
	cat >"$WORK/tarn.conf" <<-CONF
		[proxy]
		listen = 127.0.0.1:3128
		admin_socket = $WORK/run/proxy.sock
		[cache]
		path = $WORK/cache
		size = 1G
		[vendors]
		dir = $PWD/$DEMO/vendors
		[dns]
		probe_interval = 2s
		[steer]
		mode = bridge
		bridge = br0
		[keeper]
		socket = $WORK/run/keeper.sock
		state = $WORK/state
		user = nobody
		proxy = $PWD/$BUILD/bin/tarn-proxy
	CONF
	start tarnd box "$BUILD/bin/tarnd" --config "$WORK/tarn.conf"
	wait_for 20 "tarnd to arm the interception" armed
	tarnctl status | sed 's/^/  /'
	say "  the vendor sees $(ns pc1 curl -sf http://who.av.example/) when pc1 (192.168.7.11) calls"
}

act_cold() {
	act "The first device after Tarn was put in: nothing is stored yet"
	updates "first device, nothing stored" 1 pc1
	COLD_US=$LAST_US
	say "  against $(awk -v us="$DIRECT_US" 'BEGIN { printf "%.1f", us / 1e6 }') s without Tarn"
}

act_warm() {
	act "The other devices of the hour"
	updates "the two others at once" 1 pc2 pc3
}

act_together() {
	act "A new generation, and all devices ask at the same moment"
	publish_next 2
	updates "new generation, all three at once" 2 "${PCS[@]}"
}

apt_device() { # DEVICE: apt-get with its own signature and digest checks
	local pc=$1 dir=$WORK/apt-$1
	mkdir -p "$dir"/{lists/partial,cache/archives/partial,etc,download}
	echo "deb [arch=$ARCH signed-by=$WORK/archive.gpg] http://deb.example/ demo main" >"$dir/etc/sources.list"
	cat >"$dir/apt.conf" <<-CONF
		Dir::Etc::sourcelist "$dir/etc/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::Etc::parts "-";
		Dir::State::lists "$dir/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$dir/cache";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "0";
		Acquire::http::Proxy "DIRECT";
	CONF
	(
		export APT_CONFIG=$dir/apt.conf
		ns "$pc" apt-get -q update && cd "$dir/download" && ns "$pc" apt-get -q download "${PACKAGES[@]}"
	) >"$WORK/apt-$pc.log" 2>&1 || return 1
	[ "$(find "$dir/download" -name '*.deb' | wc -l)" = "${#PACKAGES[@]}" ]
}

act_apt() {
	local pc line devices began
	act "A second vendor, the same box: apt-get on each device (signatures and digests checked by APT)"
	counted
	line=$(line_bytes)
	devices=$(device_bytes)
	began=${EPOCHREALTIME/./}
	for pc in "${PCS[@]}"; do
		apt_device "$pc" || die "apt-get on $pc: $(tail -n 2 "$WORK/apt-$pc.log")"
	done
	row "apt-get update and download, one after another" 3 $((${EPOCHREALTIME/./} - began)) \
		$(($(device_bytes) - devices)) $(($(line_bytes) - line))
}

via_public() {
	tarnctl --json status | jq -e '[.proxy.reach[].via == "public"] | all' >/dev/null
}

via_system() {
	tarnctl --json status | jq -e '[.proxy.reach[].via == "system"] | all' >/dev/null
}

seconds_since() { awk -v us=$((${EPOCHREALTIME/./} - $1)) 'BEGIN { printf "%.1f", us / 1e6 }'; }

act_dns_dead() {
	local began
	act "The system's DNS server dies"
	stop dns KILL
	began=${EPOCHREALTIME/./}
	wait_for 30 "Tarn to go to the public resolver" via_public
	say "  Tarn asks the public resolver 192.0.2.53 after $(seconds_since "$began") s"
	publish_next 3
	updates "system DNS dead, new generation, all three" 3 "${PCS[@]}"
	start_dns dns 198.51.100.53
	began=${EPOCHREALTIME/./}
	wait_for 60 "Tarn to return to the system's DNS" via_system
	say "  the system's DNS is back; Tarn returned to it after $(seconds_since "$began") s"
}

proxy_pid() {
	tarnctl --json status | jq '.keeper.proxy.pid'
}

act_kill() {
	local pid
	act "kill -9 of tarn-proxy, while pc3 opens a new connection every 5 ms"
	pid=$(proxy_pid)
	ns pc3 "$BUILD/tests/tools/knock" -e 5 -d 3000 -k "9:$pid" -a 1000 203.0.113.10 80 s00.av.example /index/u1313g.xml \
		>"$WORK/knock.json" 2>"$WORK/knock.err" || die "knock: $(tail -n 1 "$WORK/knock.err")"
	jq -r '"  before:           \(.before.n) connections, \(.before.intercepted) through Tarn, \(.before.failed) failed",
		"  in service then:  \(.in_service.n), \(.in_service.failed) failed",
		"  after:            \(.after.n) connections, \(.after.direct) straight to the vendor, \(.after.intercepted) through Tarn again, \(.after.failed) failed",
		"  the first direct one began \(.first_direct_ms) ms after the kill"' "$WORK/knock.json"
	wait_for 20 "Tarn to be back" armed
	say "  tarnd has started a new tarn-proxy (pid $(proxy_pid)); interception is armed again"
	[ "$(jq '.after.failed' "$WORK/knock.json")" = 0 ] || die "connections failed after the kill"
	forget pc2
	updates "after the kill: a new device, full update" 3 pc2
}

act_table() {
	act "What was saved"
	printf '  %-46s %7s %7s %8s %9s %10s %10s %7s\n' \
		"" devices seconds requests collapsed "MiB to" "MiB over" saved \
		"" "" "" "" "" devices "the line" %
	printf '  %s\n' "${ROWS[@]}"
	awk -v d="$DIRECT_US" -v c="$COLD_US" 'BEGIN {
		printf "  first download: %.1f s without Tarn, %.1f s with Tarn and nothing stored: %.2f x the speed\n", d / 1e6, c / 1e6, d / c }'
}
