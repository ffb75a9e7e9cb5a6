#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1500
#
# The image on a disk of 4 GiB, in a virtual machine with two network cards, between a branch office's devices and
# its router. It gets its way to the vendor by DHCP and router advertisements, the vendor's profile from a seed in its
# ESP; nobody logs in.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_tls
check "the vendor's port 443 speaks TLS" wait_until 10 in_ns vendor curl -sfk -o /dev/null https://198.51.100.10/
head -c 3000000 /dev/urandom >"$work/files/object"
head -c 9000000 /dev/urandom >"$work/files/cold"
touch -d '10 days ago' "$work/files/"*
disk_make "$image" "$work/disk" 4G
cat >"$work/profile" <<-END
	[vendor]
	name = example
	[hosts]
	exact = mirror.vendor.example
	suffix = vendor.example
	[reach]
	host = mirror.vendor.example
END
printf '[admin]\nlisten = 0.0.0.0:443 [::]:443\nnames = tarn.example\n' >"$work/settings"
printf '[hosts]\nexact = not a name\n' >"$work/wrong"
seeded() {
	mmd -i "$work/disk@@1M" ::/tarn/vendors && seed "$work/disk" "$work/profile" vendors/example.conf &&
		seed "$work/disk" "$work/wrong" vendors/wrong.conf && seed "$work/disk" "$work/settings" tarn.conf
}
check 'a seed is put into the ESP' seeded
vm_start "$work/disk"

check 'the office goes through it before anything of ours runs' wait_until 120 direct dev1 $v4/
check 'by IPv6, too' wait_until 20 direct dev1 "$v6/"
echo "# bridge after $(vm_ms) ms of the host's time"
check 'it is ready' wait_until 240 says ready || console_show
ready_say
ready_within 30
check 'in at most 96 MiB of memory' test "$(word ready mem_used_kib)" -lt $((96 << 10))
check 'both ports are in the bridge' test "$(word ready ports)" = 2
within 10 'port .*ports=2'
check 'the hardware watchdog is held' says 'watchdog open=yes'
check 'the cache fills the disk' test "$(word disk cache_mib)" -gt 3570
check 'all of it is whole' says 'disk name=vda state=whole cache=whole .*grown=1 error=0'

check 'the profile of the seed is taken' says 'seed from=esp file=vendors/example.conf result=taken'
check 'its settings are' says 'seed from=esp file=tarn.conf result=taken'
check 'a wrong profile is refused, with the reason' says 'seed from=esp file=vendors/wrong.conf result=refused why='
check 'it intercepts' wait_until 90 intercepted dev1 $v4/ || { vm 'tarnctl status' | sed 's/^/# /'; console_show; }
check 'by IPv6, too' wait_until 30 intercepted dev1 "$v6/"

same_bytes() { # NS BASE NAME
	in_ns "$1" curl -sS --max-time 60 -H 'Host: mirror.vendor.example' -D "$work/head.$3.$1" "$2/files/$3" |
		cmp - "$work/files/$3"
}
check 'an object comes whole' same_bytes dev1 $v4 object
check 'another device gets it, too, by IPv6' same_bytes dev2 "$v6" object
check 'from the cache' grep -qi '^cache-status:.*hit' "$work/head.object.dev2"
times_fetched() { grep -c "GET /files/$1 " "$work/files.log"; }
check 'the vendor was asked once' test "$(times_fetched object)" = 1

many() {
	local pids=() pid failed=0 i to
	for i in {1..10}; do
		to=$v4
		((i % 2)) || to=$v6
		in_ns dev$((i % 2 + 1)) curl -sS --max-time 120 -H 'Host: mirror.vendor.example' -o "$work/cold.$i" \
			"$to/files/cold" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	for i in {1..10}; do cmp "$work/cold.$i" "$work/files/cold" || failed=1; done
	return "$failed"
}
check 'ten devices at once get what is not there yet' many
check 'for one question to the vendor' test "$(times_fetched cold)" = 1
counted() { [[ $(vm 'tarnctl stat' | awk -v name="$1" '$1 == name { print $2 }') -ge $2 ]]; }
check 'hits are counted' counted request.hit 1 || vm 'tarnctl stat' | sed 's/^/# /'
copied_not() { same_bytes dev1 "$v4" object && counted bytes.by_sendfile 1000000; }
check 'once it is on the disk it leaves without a copy: these ports are hardware' wait_until 20 copied_not

# HTTPS. What says nothing of TLS is carried through, with the vendor's own certificate.
tls_object() { # DEVICE HOST ADDRESS AUTHORITY
	in_ns "$1" curl -sS --max-time 60 --cacert "$4" --resolve "$2:443:$3" -D "$work/head.tls" "https://$2/files/object" |
		cmp - "$work/files/object"
}
check 'HTTPS is carried through' tls_object dev1 mirror.vendor.example 198.51.100.10 "$work/vendor-ca.crt"
check 'by IPv6, too' tls_object dev1 mirror.vendor.example '[2001:db8:51::10]' "$work/vendor-ca.crt"
check '... and counted' counted tls.decided.mode_splice 2
foreign() { in_ns dev1 curl -sS --max-time 20 -H 'Host: foreign.example' "$v4/" | grep -q DIRECT; }
check 'a foreign host on the same address passes' foreign
check "the vendor's other ports pass" in_ns dev1 curl -sf --max-time 20 -o /dev/null http://198.51.100.10:8080/
check 'the name server is reached' ask dev1 mirror.vendor.example a
check 'pings pass' in_ns dev1 busybox ping -c 2 -W 5 198.51.100.10
check '... by IPv6' in_ns dev1 busybox ping -c 2 -W 5 2001:db8:51::10
# The admin page, from a device, with the password that the console has shown.
box=$(vm "ip -4 -o addr show dev br0" | grep -oE '10\.7\.0\.[0-9]+' | head -n 1)
# What listens for intercepted connections has a port, too; one who asks the box itself there gets nothing.
closed() {
	local port ports
	ports=$(vm 'netstat -ltn' | awk '$1 ~ /tcp/ { n = split($4, a, ":"); if ($4 !~ /^(127|::1)/ && a[n] != 443) print a[n] }' | sort -u)
	echo "# ports: $ports"
	for port in $ports; do ! in_ns dev1 curl -s --max-time 3 -o /dev/null "http://$box:$port/" || return 1; done
}
check 'it has an address' test -n "$box"
check 'nothing but the admin page answers the devices' closed
page() { in_ns dev1 curl -sSk --max-time 30 "$@"; }
check 'the console shows the first password' wait_until 60 says 'password role=operate value='
password=$(word password value)
check 'it is a long one' test ${#password} -ge 12
log_in() {
	page -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/json' -H "Origin: https://$box" \
		-d "{\"password\":\"$1\"}" "https://$box/api/v1/session" | tee /dev/stderr | grep -q '^20'
}
check 'the admin page is there' page -f --compressed -o /dev/null "https://$box/"
check 'the password opens it' log_in "$password"
refuse 'another does not' log_in wrong
check 'no log holds the password' vm "! grep -rq '$password' /state /run/early.log"

vm_kill
done_testing
