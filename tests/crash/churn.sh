#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A full store that is written over: its file stays within the limit. CHURN_MIB, CHURN_TURNOVERS say how much;
# `make churn` is the long run.
# timeout: 300
exec "${BUILD:-build}"/tests/tools/churn "${CHURN_MIB:-64}" "${CHURN_TURNOVERS:-2}"
