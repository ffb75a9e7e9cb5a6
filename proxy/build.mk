# SPDX-License-Identifier: Apache-2.0
# tarn-proxy, the data plane: all rooms are a library (tests link it too), main.c is the program.

proxy_sources := $(filter-out proxy/main.c,$(wildcard proxy/*.c proxy/*/*.c))
$(eval $(call library,proxy,$(proxy_sources)))
$(eval $(call program,tarn-proxy,proxy/main.c,proxy/main.c))
