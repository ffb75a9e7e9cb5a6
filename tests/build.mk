# SPDX-License-Identifier: Apache-2.0
# Each C file in unit/ and bpf/ is one cmocka program, each in tools/ a tool that scripts use. All
# are linked with every library.

test_sources := $(shell find tests/unit $(if $(CONFIG_BPF),tests/bpf) -name '*.c' 2>/dev/null | sort)
tool_sources := $(wildcard tests/tools/*.c tests/bench/*.c)

TESTS := $(test_sources:%.c=$(BUILD)/%)
TOOLS := $(tool_sources:%.c=$(BUILD)/%)
OBJECTS += $(call objects,$(test_sources) $(tool_sources))
$(TESTS) $(TOOLS): $(BUILD)/%: $(BUILD)/obj/%.o

.PHONY: tests tools
tests: all tools $(TESTS) | deps-test
tools: $(TOOLS)
