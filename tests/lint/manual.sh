#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What is made of tarnctl's tables: manual pages that mandoc has nothing to say about, bash completion, and where
# `make install` puts all of it.
set -u
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ctl=$BUILD/bin/tarnctl
[[ -x $ctl ]] || skip_all 'tarnctl is not built'

# quiet PAGE: mandoc finds nothing (but that its neighbours are not installed).
quiet() {
	local said
	"$ctl" man "$1" >"$work/$1" || return 1
	said=$(mandoc -Tlint <"$work/$1" | grep -v 'referenced manual not found')
	[[ -z $said ]] || { echo "$said"; return 1; }
}
for page in tarnctl tarnd tarn-proxy tarn-mount tarn.conf tarn-vendor; do
	check "$page: mandoc -Tlint is content" quiet "$page"
done
# Each row of the tables is there.
commands_are_there() {
	"$ctl" help | awk '/^Commands/ { on = 1; next } /^$/ { on = 0 } on && /^  [^ ]/ { print $1 }' | sort -u |
		while read -r word; do grep -q "^\.It Cm .*${word//-/\\\\-}" "$work/tarnctl" || { echo "no $word"; exit 1; }; done
}
settings_are_there() {
	"$ctl" --json -c /dev/null config show | jq -r '.settings[].key' |
		while read -r key; do grep -q "^\.It Cm .*$key\$" "$work/tarn.conf" || { echo "no $key"; exit 1; }; done
}
check 'every command has its entry' commands_are_there
check 'every setting has its entry' settings_are_there
helps() { # each command, and each first word of several
	"$ctl" help | awk '/^Commands/ { on = 1; next } /^$/ { on = 0 } on && /^  [^ ]/ { print $1 }' | sort -u |
		while read -r word; do "$ctl" "$word" --help | grep -q "^Usage: tarnctl .* $word" || { echo "no help of $word"; exit 1; }; done
}
check '--help of each' helps
check '... but of what there is not: status 64' eval '"$ctl" nothing --help 2>/dev/null; (($? == 64))'
check 'an unknown page: status 64' eval '"$ctl" man x 2>/dev/null; (($? == 64))'

# completes WANT WORDS...: bash offers WANT for the last of the words.
completes() {
	# shellcheck disable=SC2016 # for the inner bash
	bash -c '. <("$0" completion); want=$1; shift; COMP_WORDS=(tarnctl "$@"); COMP_CWORD=$#; _tarnctl
		echo "${COMPREPLY[*]}"; [[ "${COMPREPLY[*]}" == $want ]]' "$ctl" "$@"
}
check 'the first word' completes 'status stat' sta
check 'each word once' completes 'config completion' co
check 'the second' completes 'check' config ch
check 'behind options' completes 'level' --json -c x log lev
check 'own options' completes '--follow' log --f
check 'settings' completes 'cache.path' config show cache.p
check 'levels' completes 'notice' log level n

installs() { make --no-print-directory -s BUILD="$BUILD" DESTDIR="$work/root" install; }
there() { for path; do [[ -f $work/root/$path ]] || { echo "no $path"; return 1; }; done; }
check 'make install' installs
check 'manual pages, completion, units' there usr/share/man/man{1/tarnctl.1,5/tarn.conf.5,5/tarn-vendor.5,8/tarnd.8,8/tarn-proxy.8,8/tarn-mount.8} \
	usr/share/bash-completion/completions/tarnctl usr/lib/systemd/system/{tarnd,tarn-proxy,tarn-drive@,tarn-mount}.service \
	usr/lib/tarn/drive usr/lib/udev/rules.d/80-tarn-drive.rules usr/lib/{sysusers,tmpfiles}.d/tarn.conf usr/share/doc/tarn/tarn.conf.example
check 'the example is a configuration' "$ctl" -c "$work/root/usr/share/doc/tarn/tarn.conf.example" config diff
echo '# mine' >>"$work/root/etc/tarn/vendors/kaspersky.conf"
check 'once more' installs
check 'a profile that the admin changed stays' grep -q '# mine' "$work/root/etc/tarn/vendors/kaspersky.conf"
check 'the new one lies beside it' there etc/tarn/vendors/kaspersky.conf.new

done_testing
