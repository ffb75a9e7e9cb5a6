#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The front door: what README and `make help` promise is there, and `make deps` installs nothing
# behind anybody's back.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# ---- README and help

# Each `make x` and each `folder/file` that README.md names; a path must be there, a target known.
targets=$(grep -oE '(^|`)make [a-z][a-z-]*' README.md | sed 's/.*make //' | sort -u)
paths=$(grep -oE '`[a-z]+/[a-zA-Z0-9_./-]*`' README.md | tr -d '`' | grep -v '^build/' | sort -u)
# Read without a makefile's variables of ours, which `make test` hands down.
unset MAKEFLAGS MAKELEVEL MFLAGS
known=$(make --print-data-base --question --no-builtin-rules clean 2>/dev/null | grep -oE '^[a-z][a-z-]*:' | tr -d : | sort -u)

check 'README names targets' test -n "$targets"
for t in $targets; do
	check "README: make $t is a target" grep -qx "$t" <<<"$known"
done
for p in $paths; do
	check "README: $p is there" test -e "$p"
done
check '.ci/run runs the test command of the README' grep -q '^make test ' .ci/run
check '... which is the one it names' grep -qx 'make test' README.md

make --no-print-directory help >"$tmp/help"
helped=$(grep -oE '^  make [a-z-]+' "$tmp/help" | sed 's/.*make //')
for t in $helped; do
	check "help: make $t is a target" grep -qx "$t" <<<"$known"
done

printf '%s\n' '##@ Head' 'one: two ## text of one' 'two: ## [absent/*.x] text of two' \
	'three: ## [tests/run] text of three' >"$tmp/Makefile"
awk -f tests/lint/help.awk "$tmp/Makefile" >"$tmp/help"
check 'help shows an entry' grep -q 'make one .*text of one' "$tmp/help"
check '... one whose file is there' grep -q 'make three .*text of three' "$tmp/help"
refuse '... and not one whose file is missing' grep -q two "$tmp/help"

# ---- deps, with a dpkg and an apt-get that only pretend

mkdir -p "$tmp/tests" "$tmp/bin"
cp tests/deps "$tmp/tests/deps"
printf 'build\talpha\t\twhy\ntest\tbeta\t\twhy\nlint\tgamma\t\twhy\n' >"$tmp/tests/deps.txt"
cat >"$tmp/bin/dpkg-query" <<'END'
#!/bin/bash
dir=$(dirname "$0")
shift 3 # -W -f FORMAT
for p; do ! grep -qx "$p" "$dir/installed" || echo "installed $p"; done
END
cat >"$tmp/bin/apt-get" <<'END'
#!/bin/bash
dir=$(dirname "$0")
echo "$*" >>"$dir/log"
[[ $1 == install ]] || exit 0
for a; do case $a in -*|install|*::*) ;; *) [[ -e $dir/broken ]] || echo "$a" >>"$dir/installed" ;; esac; done
END
printf '#!/bin/bash\n[[ $1 != -u ]] || cat "$(dirname "$0")/uid"\n' >"$tmp/bin/id"
chmod +x "$tmp"/bin/*
: >"$tmp/bin/log"
: >"$tmp/bin/installed"

# deps UID GROUP...: on a machine where dpkg's state is what `installed` says.
deps() {
	echo "$1" >"$tmp/bin/uid"
	shift
	touch "$tmp/bin/installed"
	PATH="$tmp/bin:$PATH" DPKG_STATUS="$tmp/bin/installed" POLICY="$tmp/policy-rc.d" \
		"$tmp/tests/deps" "$@" >"$tmp/out" 2>&1
}
asked() {
	grep -qF -- "$1" "$tmp/bin/log"
}

refuse 'deps: without root, missing packages are refused' deps 1000 build
check '... with the one command to run' \
	grep -q 'apt-get update && apt-get install -y --no-install-recommends alpha' "$tmp/out"
check '... and nothing was run' test ! -s "$tmp/bin/log"
DEPS_LOOK=1 refuse 'deps: where only looked, not as root either' deps 0 build
check '... it says what' grep -q 'missing: alpha' "$tmp/out"
check '... and nothing was run' test ! -s "$tmp/bin/log"
check 'deps: as root, what is missing is installed' deps 0 build
check '... by apt-get' asked '--no-install-recommends alpha'
check '... and no policy is left behind' test ! -e "$tmp/policy-rc.d"
: >"$tmp/bin/log"
check 'deps: a second time' deps 0 build
check '... does nothing' test ! -s "$tmp/bin/log"
check 'deps: tests need the build too' deps 0 test
check '... and what was there is not installed again' asked 'recommends beta'
: >"$tmp/bin/installed"
check 'deps: a package that went is noticed' deps 0 build
touch "$tmp/bin/broken"
refuse 'deps: an apt-get that installs nothing is noticed' deps 0 lint
check '... by name' grep -q 'still missing: gamma' "$tmp/out"
refuse 'deps: an unknown group' deps 0 nonsense

# node and npm may be here from elsewhere, where Debian's npm can't stand beside them.
printf 'page\tnodejs\t\twhy\npage\tnpm\t\twhy\n' >>"$tmp/tests/deps.txt"
node() { # VERSION: of the one that is here
	printf '#!/bin/bash\n[[ $1 == --version ]] && echo v%s || { ((%s)) && echo true; }\n' "$1" "$(( ${1%%.*} >= 18 ))" >"$tmp/bin/node"
	printf '#!/bin/bash\necho 10.0.0\n' >"$tmp/bin/npm"
	chmod +x "$tmp"/bin/*
	: >"$tmp/bin/log"
	: >"$tmp/bin/installed"
}
rm "$tmp/bin/broken"
node 20.1.0
check 'deps: a node from elsewhere, with its npm, does' deps 0 page
check '... and nothing is installed' test ! -s "$tmp/bin/log"
node 16.1.0
check 'deps: one that is too old does not' deps 0 page
check '... and Debian is asked' asked 'recommends nodejs npm'
node 16.1.0
printf '#!/bin/bash\necho "npm conflicts"; exit 100\n' >"$tmp/bin/apt-get"
refuse 'deps: where Debian can not help' deps 0 page
check '... it says why' grep -q 'npm conflicts' "$tmp/out"
check '... and what would do' grep -q 'node v16.1.0 is here.*18 or newer' "$tmp/out"

done_testing
