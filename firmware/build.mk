# SPDX-License-Identifier: Apache-2.0
# base: what both programs stand on. The rest is tarnd (the keeper) and tarnctl.

firmware_rooms := net boot $(if $(CONFIG_BPF),steer keeper)
firmware_sources := $(filter-out %/main.c,$(wildcard $(firmware_rooms:%=firmware/%/*.c)))
$(eval $(call library,firmware,$(firmware_sources)))
$(eval $(call library,base,$(wildcard firmware/base/*.c)))

ifneq ($(and $(CONFIG_BPF),$(wildcard firmware/keeper/main.c)),)
PROGRAMS += $(BUILD)/bin/tarnd
$(eval $(call program,bin,tarnd,firmware/keeper/main.c))
endif

ifneq ($(and $(CONFIG_ADMIN),$(wildcard firmware/ctl/main.c)),)
PROGRAMS += $(BUILD)/bin/tarnctl
$(eval $(call program,bin,tarnctl,$(wildcard firmware/ctl/*.c)))
endif

PROFILES := $(wildcard firmware/vendors/*.conf)
