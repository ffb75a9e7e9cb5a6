#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kill -9 of a process that writes to the store: every committed object is there afterwards, byte by byte.
# CRASH_ROUNDS and CRASH_SEED say how often and which.
# timeout: 480
exec "${BUILD:-build}"/tests/tools/store_crash "${CRASH_ROUNDS:-30}" ${CRASH_SEED:+"$CRASH_SEED"}
