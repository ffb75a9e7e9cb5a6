#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/reach: a clone that only root can walk into is shown to the data plane's user, and a readable one left alone.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/tap.sh
. ./tap.sh

[[ $(id -u) == 0 ]] || skip_all 'needs root'
closed=$(mktemp -d)
trap 'rm -rf "$closed"' EXIT
mkdir -p "$closed/tree/tests"
cp reach "$closed/tree/tests"
echo text >"$closed/tree/README.md"
cat >"$closed/tree/tests/whose" <<'END'
#!/bin/bash
setpriv --reuid nobody --regid nogroup --clear-groups cat README.md
echo "$PWD $BUILD $*"
exit 7
END
chmod 755 "$closed/tree/tests/whose"
chmod 700 "$closed"

ran() { BUILD=$closed/tree/build "$closed/tree/tests/reach" tests/whose a 'b c' >"$closed/out" 2>"$closed/err"; }
mounts_kept() { [[ $(grep -c . /proc/self/mounts) == "$mounts" ]]; }

mounts=$(grep -c . /proc/self/mounts)
ran
status=$?
check 'the status is that of the command' test "$status" = 7
check 'another user reads the tree' grep -qx text "$closed/out"
check 'arguments are kept, BUILD is below the tree' grep -qE '^/(mnt|srv|media) build a b c$' "$closed/out"
check 'it is said' grep -q 'closed to other users' "$closed/err"
check 'nothing stays mounted' mounts_kept

chmod 755 "$closed"
ran
check 'a readable tree is used where it is' grep -qx "$closed/tree $closed/tree/build a b c" "$closed/out"

chmod 700 "$closed"
chmod 600 "$closed/tree/README.md"
ran
status=$?
check 'files that are closed themselves: refused' test "$status" = 1
check 'with what to do' grep -q "chmod -R go+rX '$closed/tree'" "$closed/err"
done_testing
