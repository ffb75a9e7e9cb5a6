#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
#
# What `make test` has of the appliance in QEMU: our BPF programs in the image's kernel, and the image booted between a branch office
# and its vendor. Minutes; so nothing is installed for it, as `make image-test` does.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export DEPS_LOOK=1
failed=0
for name in bpf boot; do "$here/qemu/$name.sh" || failed=1; done
exit $failed
