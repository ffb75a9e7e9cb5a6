#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# timeout: 2400
#
# Random bytes over whole partitions. Over the cache: it is made anew, it is the same box, with the same password. Over all but the
# ESP: the factory's system makes it anew, and the office is served.
set -u
# shellcheck source=tests/image/qemu/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/image/qemu/known.sh
. "$(dirname "$0")/known.sh"

onto $((481 * mib)) $((160 * mib)) /dev/urandom
started 'random bytes over the cache'
check '... it is new, the state is whole' says 'disk .*state=(whole|mended) cache=new .*error=0'
check '... it has the disk' test "$(word disk cache_mib)" -gt 1500
check '... it is the same box' test "$(vm 'cat /state/id')" = "$(<"$work/id")"
check '... the password is the same' wait_until 30 page_opens "$password"
refuse '... no other is made' says 'password role='
vm_kill

onto $((129 * mib)) $((256 * mib)) /dev/urandom
onto $((385 * mib)) $((96 * mib)) /dev/urandom
onto $((481 * mib)) $((160 * mib)) /dev/urandom
started 'random bytes over all but the ESP'
check '... state and cache are new' says 'disk .*state=new cache=new .*error=0' || fsck_show
check '... so are the slots' says 'slots part=tarn-boot result=new error=0'
id=$(vm 'cat /state/id')
check '... it is another box' test ${#id} = 32 -a "$id" != "$(<"$work/id")"
check '... a password is made, and shown' becomes 'password role=operate value='
check '... the one before opens nothing' wait_until 30 page_refuses "$password"
vm_kill
done_testing
