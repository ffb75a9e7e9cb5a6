# SPDX-License-Identifier: Apache-2.0
# The appliance's image is made of built artifacts only; its recipes live here.
