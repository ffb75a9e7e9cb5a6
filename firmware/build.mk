# SPDX-License-Identifier: Apache-2.0
# base: what both programs stand on. The rest is tarnd (the keeper) and tarnctl.

firmware_rooms := carry net boot mint $(if $(CONFIG_BPF),steer keeper)
firmware_sources := $(filter-out %/main.c,$(wildcard $(firmware_rooms:%=firmware/%/*.c)))
$(eval $(call library,firmware,$(firmware_sources)))
$(eval $(call library,index,$(wildcard firmware/index/*.c)))
$(eval $(call library,base,$(wildcard firmware/base/*.c)))

ifdef CONFIG_BPF
$(eval $(call program,tarnd,firmware/keeper/main.c,firmware/keeper/main.c))
endif
ifdef CONFIG_ADMIN
$(eval $(call program,tarnctl,firmware/ctl/main.c,$(wildcard firmware/ctl/*.c)))
endif
ifdef CONFIG_MOUNT
PKGS += fuse3
$(eval $(call program,tarn-mount,firmware/mount/main.c,$(wildcard firmware/mount/*.c)))
endif

PROFILES := $(wildcard firmware/vendors/*.conf)

# Manual pages and completion are made of the tables inside tarnctl.
MANUALS :=
ifneq ($(filter %/tarnctl,$(PROGRAMS)),)
MANUALS := $(addprefix $(BUILD)/man/,tarnctl.1 tarnd.8 tarn-proxy.8 $(if $(CONFIG_MOUNT),tarn-mount.8) tarn.conf.5 tarn-vendor.5)
COMPLETION := $(BUILD)/man/tarnctl.bash
EXAMPLE := $(BUILD)/man/tarn.conf
$(MANUALS): $(BUILD)/man/%: $(BUILD)/bin/tarnctl
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)$< man $(basename $*) >$@.new
	$(Q)mv $@.new $@
$(COMPLETION): $(BUILD)/bin/tarnctl
	@mkdir -p $(@D)
	$(Q)$< completion >$@.new
	$(Q)mv $@.new $@
$(EXAMPLE): $(BUILD)/bin/tarnctl
	@mkdir -p $(@D)
	$(Q)$< config help >$@.new
	$(Q)mv $@.new $@
endif
UNITS := $(filter-out $(if $(CONFIG_MOUNT),,%/tarn-mount.service),$(wildcard firmware/systemd/*.service))
