#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
#
# HTTPS through the image. Where the vendor's profile says so, a device that trusts the box's authority gets it from the box, by
# IPv4 and IPv6, and from its cache; one that does not is carried through to the vendor, and so is what the profile leaves alone.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
vendor_tls
check "the vendor's port 443 speaks TLS" wait_until 10 in_ns vendor curl -sfk -o /dev/null https://198.51.100.10/
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
printf '[vendor]\nname = agrees\n[hosts]\nexact = agrees.example\n[tls]\nmode = intercept\n[reach]\nhost = agrees.example\n' >"$work/agrees"
seed "$work/disk" "$work/agrees" vendors/agrees.conf
vm_start "$work/disk"
check 'it is ready' becomes ready
ready_say
# The vendor's authority is one that only this test knows.
trusts_vendor() {
	vm "cat >/state/etc/vendor-ca.crt <<'END'
$(<"$work/vendor-ca.crt")
END
	printf '[upstream]\nca_file = /etc/tarn/vendor-ca.crt\n' >>/state/etc/tarn.conf
	tarnctl config check && kill \$(pidof tarnd)"
}
check "the box takes the vendor's authority" trusts_vendor
check 'its own is exported' eval 'vm "tarnctl ca export" >"$work/box-ca.crt" && openssl x509 -in "$work/box-ca.crt" -noout'
check 'it intercepts' wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'

tls_object() { # DEVICE NAME HOST ADDRESS AUTHORITY
	in_ns "$1" curl -sS --max-time 60 --cacert "$5" --resolve "$3:443:$4" -D "$work/head.$2.$1" "https://$3/files/$2" |
		cmp - "$work/files/$2"
}
agreed() { tls_object "$1" "$2" agrees.example "$3" "$work/box-ca.crt"; }
hit() { grep -qi '^cache-status:.*hit' "$work/head.$2.$1"; }
fetched() { grep -c "GET /files/$1 " "$work/files.log"; }
check "a device that trusts the box gets the vendor's object by HTTPS" wait_until 60 agreed dev1 large 198.51.100.10 ||
	agreed dev1 large 198.51.100.10
check '... another by IPv6' wait_until 60 agreed dev2 large '[2001:db8:51::10]'
check '... from the cache' hit dev2 large
again() { agreed dev1 large 198.51.100.10 && hit dev1 large; }
check '... the first again, too' again
check '... the vendor was asked once' test "$(fetched large)" = 1
many() {
	local pids=() pid failed=0 i to
	for i in 1 2 3 4; do
		to=198.51.100.10
		((i < 3)) || to='[2001:db8:51::10]'
		agreed "dev$((i % 2 + 1))" small "$to" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	return "$failed"
}
check 'four at once get what is not there yet' many
check '... for one question' test "$(fetched small)" = 1
counted() { [[ $(vm 'tarnctl stat' | awk -v name="$1" '$1 == name { print $2 }') -ge $2 ]]; }
check '... certificates are counted' counted tls.leaf_minted 1 || vm 'tarnctl stat | grep tls' | sed 's/^/# /'

addr dev3 eth0 10.7.0.13/24
ip -n "$(ns dev3)" route replace default via 10.7.0.1
carried() { tls_object dev3 large agrees.example 198.51.100.10 "$work/vendor-ca.crt" && ! hit dev3 large; }
check 'one that does not trust the box is carried through at its next try' wait_until 60 carried
left_alone() { tls_object dev1 large mirror.vendor.example "$1" "$work/vendor-ca.crt" && ! hit dev1 large; }
check 'so is what the profile leaves alone' left_alone 198.51.100.10
check '... by IPv6, too' left_alone '[2001:db8:51::10]'
check 'no log holds a key' vm '! grep -rl "PRIVATE KEY" /state/log /run/early.log'
check "the authority's key is root's alone" test "$(vm 'stat -c "%a %u" /state/lib/ca.pem')" = '600 0'
vm_kill
done_testing
