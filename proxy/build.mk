# SPDX-License-Identifier: Apache-2.0
# tarn-proxy, the data plane: all rooms are a library (tests link it too), main.c is the program.

proxy_sources := $(filter-out proxy/main.c,$(wildcard proxy/*.c proxy/*/*.c))
$(eval $(call library,proxy,$(proxy_sources)))
$(eval $(call program,tarn-proxy,proxy/main.c,proxy/main.c))

# The admin page's files become a table in C; every build flavour uses this one. It depends on its list, too.
page_files := $(sort $(wildcard $(addprefix proxy/admin/page/*.,html js css svg)))
$(call remember,build/page/list,$(page_files))
build/page/files.h: proxy/admin/embed $(page_files) build/page/list
	$(call say,PAGE,$@)
	$(Q)proxy/admin/embed $(page_files) >$@.new
	$(Q)mv $@.new $@
$(BUILD)/obj/proxy/admin/page.o: build/page/files.h

# For Grafana and Prometheus; installed beside the programs.
MONITOR := $(wildcard proxy/admin/monitor/*)
