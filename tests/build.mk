# SPDX-License-Identifier: Apache-2.0
# Each C file in unit/ and bpf/ is one cmocka program, each in tools/ and bench/ a tool that scripts
# use, each in fuzz/ a fuzzer (libFuzzer, by clang). All are linked with every library.

test_sources := $(shell find tests/unit $(if $(CONFIG_BPF),tests/bpf) -name '*.c' 2>/dev/null | sort)
tool_sources := $(wildcard tests/tools/*.c tests/bench/*.c)
fuzz_sources := $(wildcard tests/fuzz/*.c)

TESTS   := $(test_sources:%.c=$(BUILD)/%)
TOOLS   := $(tool_sources:%.c=$(BUILD)/%)
FUZZERS := $(fuzz_sources:%.c=$(BUILD)/%)
OBJECTS += $(call objects,$(test_sources) $(tool_sources) $(fuzz_sources) tests/clock/moved.c tests/fault/sendfile.c)
$(TESTS) $(TOOLS) $(FUZZERS): $(BUILD)/%: $(BUILD)/obj/%.o

.PHONY: tests tools
tests: all tools $(TESTS) $(if $(SANITIZE),,boot-programs) | deps-test

# The data plane with a clock that a test moves, or a system call that fails when a test says so; never installed.
DOUBLES := $(BUILD)/tests/clock/tarn-proxy $(BUILD)/tests/fault/tarn-proxy
tools: $(TOOLS) $(DOUBLES)
$(BUILD)/tests/clock/tarn-proxy: $(call objects,tests/clock/moved.c)
$(BUILD)/tests/fault/tarn-proxy: $(call objects,tests/fault/sendfile.c)
$(DOUBLES): $(call objects,proxy/main.c) $(LIBS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS)
