# SPDX-License-Identifier: Apache-2.0
#
# Tarn's front door: `make help` lists what can be done here.
#
# One Makefile, no recursion for the build: each folder's build.mk names what it gives (a library,
# programs, BPF objects), by wildcard, so a new source file needs no edit. A program is built once
# its main exists. All that is built lands in $(BUILD).

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

# ARCH=arm64 builds for another kind of machine.
PKG_CONFIG := pkg-config
ifneq ($(filter-out $(if $(ARCH),$(shell dpkg --print-architecture)),$(ARCH)),)
include image/cross.mk
endif

BUILD  ?= build
IMAGE_OUT ?= $(BUILD)
CONFIG ?= .config
PREFIX ?= /usr
CC     := $(strip $(CROSS)gcc $(SYSROOT:%=--sysroot=%))
CLANG  := clang-14
AR     := $(CROSS)ar
# Debian keeps bpftool in sbin, which is not on everybody's PATH.
BPFTOOL     := PATH="$$PATH:/usr/sbin" bpftool
LLVM_STRIP  := llvm-strip-14
KCONFIG     := kconfig-conf

# V=1 shows the commands, otherwise one short line each.
Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- flags -------------------------------------------------------------------------------------

PKGS := libevent libevent_pthreads libevent_openssl libssl libcrypto libcares libnl-3.0 libnl-route-3.0 libbpf \
	jansson inih libxxhash libseccomp libcap expat zlib liblzma libqrencode

# Asked for at first use, not while this file is read: the packages may only be installed by then.
PKG_CFLAGS  = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(PKGS)) -llmdb -lresolv)$(PKG_LIBS)
CMOCKA_LIBS = $(eval CMOCKA_LIBS := $$(shell $(PKG_CONFIG) --libs cmocka))$(CMOCKA_LIBS)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror
HARD := -fstack-protector-strong -D_FORTIFY_SOURCE=2
LINK := -Wl,--as-needed -Wl,-z,relro,-z,now

# SANITIZE is what `make asan` sets; fortify and the sanitizers do not go together.
ifdef SANITIZE
HARD := -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LINK += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif

# arm64's char has no sign by itself: what is tried on one kind of machine holds on the other.
CFLAGS := -std=gnu11 -O2 -g -pthread -fPIE -fsigned-char $(HARD) $(WARN)
CPPFLAGS = -D_GNU_SOURCE -I. -include $(BUILD)/config.h $(PKG_CFLAGS)

# ---- what is built -----------------------------------------------------------------------------

# Which targets work on sources? The others (help, clean ...) must need no package at all.
NO_BUILD := help clean flash deps deps-% defconfig menuconfig savedefconfig lint-fast lint-scripts format image-lock
BUILDING := $(if $(MAKECMDGOALS),$(filter-out $(NO_BUILD),$(MAKECMDGOALS)),all)

# CONFIG_* decide which folders take part; the file is made below and make starts over.
ifneq ($(BUILDING),)
include $(BUILD)/config
endif

LIBS     :=
PROGRAMS :=
TESTS    :=
TOOLS    :=
FUZZERS  :=

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# $(call library,NAME,SOURCES): an archive of them. It depends on its list too, to lose what went.
define library
LIBS += $(BUILD)/lib/lib$(1).a
OBJECTS += $(call objects,$(2))
$(BUILD)/lib/lib$(1).a: $(call objects,$(2)) $(BUILD)/lib/lib$(1).list
$(call remember,$(BUILD)/lib/lib$(1).list,$(2))
endef
# $(call program,NAME,MAIN,SOURCES): linked with every library, if MAIN is there.
define program
ifneq ($(wildcard $(2)),)
PROGRAMS += $(BUILD)/bin/$(1)
OBJECTS += $(call objects,$(3))
$(BUILD)/bin/$(1): $(call objects,$(3))
endif
endef
# $(call remember,FILE,WORDS): FILE holds WORDS and changes only when they do.
define remember
$(if $(BUILDING),$(shell mkdir -p $(dir $(1)); \
	printf '%s\n' '$(2)' | cmp -s - $(1) || printf '%s\n' '$(2)' >$(1)))
endef

# Order matters to the linker: who uses stands before who is used.
include proxy/build.mk cache/build.mk bpf/build.mk firmware/build.mk image/build.mk tests/build.mk

$(call remember,$(BUILD)/flags,$(CC) $(CFLAGS))

.PHONY: all
##@ Build
all: $(SKELETONS) $(LIBS) $(PROGRAMS) ## build all programs (V=1 shows the commands)

# ---- tests -------------------------------------------------------------------------------------

.PHONY: demo test test-unit test-wire test-bpf test-netns test-crash test-page test-image test-lint
.PHONY: admin-bench churn eviction restart-bench rfc-table asan test-asan fuzz fuzz-run bench line-bench tls-bench soak compare-http
##@ Try
demo: all tools deps-test ## [tests/demo/run] a branch office in network namespaces, live (as root)
	@BUILD=$(BUILD) tests/reach tests/demo/run

##@ Test
test: tests ## all tests, or T=netns, T=wire/x.vtc; without root what needs it is skipped
	@BUILD=$(BUILD) tests/reach tests/run $(T)
test-unit: ## [tests/unit] unit tests
test-wire: ## [tests/wire] HTTP on the wire, by varnishtest
test-bpf: ## [tests/bpf] BPF programs on single packets (as root)
test-netns: ## [tests/netns] whole networks in namespaces (as root)
test-crash: ## [tests/crash] the store after kill -9
test-page: ## [tests/page] the admin page in Chromium (make deps-page installs what it takes)
test-image: ## [tests/image] the appliance's image: written to a disk; booted, where QEMU is installed
test-lint: ## [tests/lint] the build's and the checkers' own tests
test-unit test-wire test-bpf test-netns test-crash test-page test-image test-lint: test-%: tests
	@BUILD=$(BUILD) tests/reach tests/run $*
rfc-table: tests ## sentences of RFC 9110 and 9111 about shared caches, each with its test and result
	@BUILD=$(BUILD) tests/unit/rfc.sh
asan: ## unit tests with address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory BUILD=build/asan SANITIZE=address,undefined test-unit
test-asan: asan
fuzz: deps-fuzz ## [tests/fuzz/*.c] each fuzzer from its corpus for FUZZ_SECONDS (60)
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=$(CLANG) \
		SANITIZE=address,undefined,fuzzer-no-link fuzz-run
compare-http: all tools deps-compare ## disputed cases of HTTP caching: Tarn beside nginx, Squid and Varnish
	@BUILD=$(BUILD) tests/reach tests/compare/run
fuzz-run: $(FUZZERS)
	@BUILD=$(BUILD) tests/fuzz/run $^

##@ Measure
bench: all tools deps-bench ## [tests/bench/run] against the direct way and other caches, in one run
	@BUILD=$(BUILD) tests/reach tests/bench/run

line-bench: all tools deps-test ## [tests/bench/line] a first download across a line with a round trip of 2 * DELAY (10) ms, with the box and without (as root)
	@BUILD=$(BUILD) tests/reach tests/bench/line

tls-bench: all tools deps-bench ## [tests/bench/tls] handshakes and hits by HTTPS beside nginx, and HTTPS carried through (as root)
	@BUILD=$(BUILD) tests/reach tests/bench/tls

admin-bench: all tools deps-bench ## [tests/bench/admin] what metrics, access log, history and attacks on the admin side cost the data plane
	@BUILD=$(BUILD) tests/reach tests/bench/admin

soak: all tools deps-test ## [tests/bench/soak] what SOAK (2000) connections of each kind leave in the box's memory (as root)
	@BUILD=$(BUILD) tests/reach tests/bench/soak

churn: $(BUILD)/tests/tools/churn ## [tests/tools/churn.c] a store of CHURN_MIB (1024) MiB written over CHURN_TURNOVERS (30) times
	@$< $(or $(CHURN_MIB),1024) $(or $(CHURN_TURNOVERS),30)

restart-bench: all tools ## [tests/crash/restart.sh] RESTART_OBJECTS (1000000) in the store: first answer after restart and kill -9
	@BUILD=$(BUILD) RESTART_OBJECTS=$(or $(RESTART_OBJECTS),1000000) RESTART_MS=$(or $(RESTART_MS),50) tests/crash/restart.sh

eviction: $(BUILD)/tests/bench/eviction ## [tests/bench/eviction.c] what a full store still answers, against LRU and one that knows the future
	@mkdir -p $(BUILD)/bench
	@$< $(BUILD)/bench/eviction.svg

# ---- how it is built ---------------------------------------------------------------------------

$(BUILD)/obj/%.o: %.c $(BUILD)/config.h $(BUILD)/flags | deps-build $(SYSROOT:=.ready) $(SKELETONS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/%.a:
	$(call say,AR,$@)
	@mkdir -p $(@D); rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(PROGRAMS): $(LIBS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS)

$(FUZZERS): LINK += -fsanitize=fuzzer
$(TESTS) $(TOOLS) $(FUZZERS): $(LIBS) | deps-test
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS) $(CMOCKA_LIBS)

# BPF objects know no build flavour: every one uses those in build/bpf.
build/bpf/%.bpf.o: bpf/%.bpf.c bpf/build.mk | deps-build
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
	$(Q)$(LLVM_STRIP) -g $@

build/bpf/%.skel.h: build/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< >$@.new
	$(Q)mv $@.new $@

-include $(OBJECTS:.o=.d) $(BPF_OBJECTS:.o=.d)

# ---- configuration -----------------------------------------------------------------------------

# The choice in .config (if there is one) completed with defaults, for make and for C.
$(call remember,$(BUILD)/config.from,$(wildcard $(CONFIG)))
$(BUILD)/config: Kconfig $(BUILD)/config.from $(wildcard $(CONFIG)) | deps-build
	$(call say,CONFIG,$@)
	@mkdir -p $(@D); rm -f $@.new; cp $(or $(wildcard $(CONFIG)),/dev/null) $@.new
	$(Q)KCONFIG_CONFIG=$@.new $(KCONFIG) --olddefconfig Kconfig >/dev/null
	@sed -n -e 's/^\(CONFIG_[A-Z0-9_]*\)=y$$/#define \1 1/p;t' \
		-e 's/^\(CONFIG_[A-Z0-9_]*\)=\(.*\)$$/#define \1 \2/p' $@.new >$@.h.new
	@cmp -s $@.h.new $@.h || cp $@.h.new $@.h
	@mv $@.new $@; rm -f $@.new.old $@.h.new
# Written above, with what is included before all else, and only when something in it changes.
$(BUILD)/config.h: ;

.PHONY: defconfig menuconfig savedefconfig
##@ Configure
defconfig: deps-build ## write .config with every default
	$(Q)KCONFIG_CONFIG=$(CONFIG) $(KCONFIG) --alldefconfig Kconfig
menuconfig: deps-build ## choose features, defaults and debugging in menus
	$(Q)KCONFIG_CONFIG=$(CONFIG) kconfig-mconf Kconfig
savedefconfig: deps-build ## write what differs from the defaults to build/defconfig
	@mkdir -p $(BUILD)
	$(Q)KCONFIG_CONFIG=$(CONFIG) $(KCONFIG) --savedefconfig=$(BUILD)/defconfig Kconfig

# ---- lint --------------------------------------------------------------------------------------

C_FILES  = $(shell find proxy cache bpf firmware tests -name '*.[ch]' | sort)
CPPCHECK = cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	--inline-suppr --suppressions-list=tests/lint/cppcheck.txt -j2 --max-configs=4 -I. \
	-D_GNU_SOURCE -D__linux__ --include=$(BUILD)/config.h --include=tests/lint/cppcheck.h \
	--include=/usr/include/$(shell gcc -print-multiarch)/sys/queue.h \
	--cppcheck-build-dir=$(BUILD)/cppcheck

.PHONY: lint lint-fast lint-c lint-clang lint-scripts test-kconfig format
##@ Lint
lint: lint-fast lint-scripts lint-c lint-clang test-kconfig ## all checks of the text, and both ends of Kconfig
lint-fast: deps-lint ## formatting, arrows between folders, licence lines (seconds)
	$(Q)$(if $(C_FILES),clang-format-14 --dry-run -Werror $(C_FILES))
	$(Q)tests/lint/layers
	$(Q)tests/lint/spdx
lint-c: $(BUILD)/config.h deps-lint
	$(call say,CPPCHECK,.)
	@mkdir -p $(BUILD)/cppcheck
	$(Q)$(if $(C_FILES),$(CPPCHECK) $(filter-out bpf/%,$(C_FILES)))
	@tests/lint/lengths
lint-clang: $(BUILD)/config.h $(SKELETONS) | deps-build
	$(call say,CLANG,what the fuzzers are made of)
	$(Q)find proxy cache firmware tests/fuzz -name '*.c' | sort | \
		xargs -r -P2 -n16 $(CLANG) $(CPPFLAGS) $(CFLAGS) -fsyntax-only
lint-scripts: deps-lint
	$(call say,SHELL,$(words $(shell tests/lint/scripts)) scripts)
	$(Q)shellcheck $$(tests/lint/scripts)
test-kconfig: deps-build ## build the smallest and the largest choice of Kconfig
	@tests/lint/kconfig
format: deps-lint ## format all C by .clang-format
	$(Q)$(if $(C_FILES),clang-format-14 -i $(C_FILES))

# ---- packages ----------------------------------------------------------------------------------

.PHONY: deps deps-build deps-test deps-lint deps-fuzz deps-bench deps-compare deps-page deps-image deps-image-test deps-cross
##@ Packages
deps: ## install what is missing of Debian's packages (tests/deps.txt)
	@tests/deps build test lint
deps-build deps-test deps-lint deps-fuzz deps-bench deps-compare deps-page deps-image deps-image-test deps-cross: deps-%:
	@tests/deps $*

# ---- housekeeping ------------------------------------------------------------------------------

.PHONY: help install clean
##@ Install and clean
install: all $(MANUALS) $(COMPLETION) $(EXAMPLE) ## install all of it where a Debian machine looks for it (DESTDIR, PREFIX)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin share/tarn share/doc/tarn lib/systemd/system lib/sysusers.d \
		lib/tmpfiles.d lib/tarn lib/udev/rules.d share/bash-completion/completions) $(DESTDIR)/etc/tarn/vendors
	$(if $(PROGRAMS),install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin)
	$(if $(MONITOR),install -m 644 $(MONITOR) $(DESTDIR)$(PREFIX)/share/tarn)
	$(foreach page,$(MANUALS),install -D -m 644 $(page) \
		$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page));)
	$(if $(COMPLETION),install -m 644 $(COMPLETION) $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tarnctl)
	$(if $(EXAMPLE),install -m 644 $(EXAMPLE) $(DESTDIR)$(PREFIX)/share/doc/tarn/tarn.conf.example)
	$(foreach unit,$(UNITS),sed 's,/usr/bin/,$(PREFIX)/bin/,; s,/usr/lib/tarn/,$(PREFIX)/lib/tarn/,' $(unit) \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/$(notdir $(unit));)
	$(foreach kind,sysusers tmpfiles,$(if $(wildcard firmware/systemd/$(kind).conf), \
		install -m 644 firmware/systemd/$(kind).conf $(DESTDIR)$(PREFIX)/lib/$(kind).d/tarn.conf;))
	$(if $(wildcard firmware/systemd/drive), \
		sed 's|/usr/bin/|$(PREFIX)/bin/|' firmware/systemd/drive >$(DESTDIR)$(PREFIX)/lib/tarn/drive && \
		chmod 755 $(DESTDIR)$(PREFIX)/lib/tarn/drive && \
		install -m 644 firmware/systemd/tarn-drive.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/80-tarn-drive.rules)
	$(if $(PROFILES),@firmware/systemd/profiles $(DESTDIR)/etc/tarn/vendors $(PROFILES))

clean: ## remove build/
	rm -rf build $(BUILD)

# A `##@` line is a heading, `target: ... ## text` an entry; `## [file] text` one that is shown only
# when that file is there.
help: ## show this
	@awk -f tests/lint/help.awk $(MAKEFILE_LIST)
