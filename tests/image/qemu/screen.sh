#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
#
# What who stands before the machine sees on its monitor: address, state, first password, and a QR code that leads a telephone to
# the page. It goes with the address: none without one.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
needs
command -v zbarimg >/dev/null || skip_all 'zbarimg is not here'
check 'the image is built' image_have || done_testing

topology bridge
vm_network
vendor_objects
disk_make "$image" "$work/disk" 2G
vendor_seed "$work/disk"
vm_start "$work/disk" -device VGA
check 'it is ready' becomes ready
ready_say
# The picture, and what the console holds as text.
code() {
	rm -f "$work/screen.ppm"
	qmp '{"execute":"screendump","arguments":{"filename":"'"$work"'/screen.ppm"}}'
	wait_until 5 test -s "$work/screen.ppm" && zbarimg -q --raw -Sdisable -Sqrcode.enable "$work/screen.ppm"
}
text() { vm 'tr "\000" " " </dev/vcs1'; }
shows() { text | grep -qE "$1"; }
check 'without an address the screen says so' wait_until 30 shows 'Address +none yet'
refuse '... and has no code' code
dhcp_start
leads() { [[ -n $(box_address) && $(code) == "https://$(box_address)/" ]]; }
check 'with one the code leads to the page' wait_until 90 leads || code
check '... the address stands there, too' shows "Address +https://$(box_address)/"
check '... the version' shows 'Version +0\.1, the factory'
check '... that it works' wait_until 120 shows 'State +working'
check 'the first password is made' becomes 'password role=operate value='
password=$(word password value)
check '... and stands there' wait_until 30 shows "Password +$password"
check '... the code is still whole' wait_until 30 leads
text | sed 's/^/# /'
[[ -z ${SCREEN:-} ]] || cp "$work/screen.ppm" "$SCREEN"
check 'who has read it gets in' page_opens "$password"
vm_kill
done_testing
