#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
#
# The machine's clock is wrong and nobody tells the time: the first start in 1970, the next in 2099. Certificates and keys
# are good today all the same, the same box starts, and what is stored is served.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
check 'the image is built' image_have || done_testing

office
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"

# good_today FILE: a certificate that is valid now, and in a month.
good_today() {
	openssl x509 -in "$1" -noout -subject -dates
	[[ $(date -d "$(openssl x509 -in "$1" -noout -startdate | cut -d = -f 2)" +%s) -le $(date +%s) ]] &&
		openssl x509 -in "$1" -noout -checkend $((30 * 86400)) >/dev/null
}
page_certificate() {
	in_ns dev1 openssl s_client -connect "$box:443" </dev/null 2>/dev/null | openssl x509 >"$work/page.crt" && good_today "$work/page.crt"
}
authority() { vm 'tarnctl ca export' >"$work/ca.crt" && good_today "$work/ca.crt"; }
# clock_start YEAR
clock_start() {
	RTC=$1-06-01T12:00:00 vm_start "$work/disk"
	check "$1: it is ready" becomes ready
	check "$1: it says that its clock was wrong" says 'clock was=.* set='
	check "$1: it has this year's" test "$(vm 'date +%Y')" = "$(date +%Y)"
	check "$1: it intercepts" wait_until 120 intercepted dev1 $v4/ || vm 'tarnctl status' | sed 's/^/# /'
	box=$(box_address)
	check "$1: the page's certificate is good today" page_certificate
	check "$1: so is the authority's" authority
	check "$1: objects come whole" objects_right dev1
}
clock_start 1970
cp "$work/ca.crt" "$work/ca.1970"
# From there they leave without a copy; before that, the power would take them.
on_disk() { objects_right dev2 && vm 'tarnctl stat' | awk '$1 == "bytes.by_sendfile" && $2 >= 5000000 { found = 1 } END { exit !found }'; }
check '... they are on the disk' wait_until 30 on_disk
vm 'cat /state/id; sync' >"$work/id"
vm_kill
clock_start 2099
check '... from the cache' grep -qi '^cache-status:.*hit' "$work/head.large.dev1"
check '... by the same box' test "$(vm 'cat /state/id')" = "$(<"$work/id")"
check '... with the same authority' cmp "$work/ca.crt" "$work/ca.1970"
refuse '... and no other password' says 'password role='
check 'an update with today'"'"'s signature is taken' eval 'variants good && wait_until 60 online && fetch_install good --restart no'
vm_kill
done_testing
