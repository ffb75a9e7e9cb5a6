# SPDX-License-Identifier: Apache-2.0
# The store: a library without sockets.

$(eval $(call library,cache,$(wildcard cache/*.c)))
