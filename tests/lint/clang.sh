#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The fuzzers are built by clang, the programs by gcc: what one of them takes, the other must take, too.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
unset MAKEFLAGS MAKELEVEL MFLAGS

check 'clang takes all that the fuzzers are made of' make --no-print-directory lint-clang

done_testing
