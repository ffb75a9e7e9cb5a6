# SPDX-License-Identifier: Apache-2.0
# The appliance's image. It is made of built artifacts only; its recipes are scripts of this folder. What only the
# appliance runs - pid 1 and the initramfs's program - is built here and installed nowhere else.

BOOT_PROGRAMS := $(BUILD)/boot/tarn-init $(BUILD)/boot/tarn-first
boot_main  := firmware/boot/init/main.c
boot_first := firmware/boot/first/main.c
OBJECTS += $(call objects,$(boot_main) $(boot_first))

$(BUILD)/boot/tarn-init: $(call objects,$(boot_main)) $(LIBS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -pie $(LINK) -o $@ $(filter %.o,$^) $(LIBS) $(PKG_LIBS) -lz
$(BUILD)/boot/tarn-first: $(call objects,$(boot_first))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -static -o $@ $(filter %.o,$^)

.PHONY: image image-lock image-test image-test-all flash boot-programs
boot-programs: $(BOOT_PROGRAMS)
##@ Appliance
image: all boot-programs deps-image ## the appliance's image (build/tarn-*.img.zst and .update); ARCH=arm64: for such machines
	@BUILD=$(BUILD) IMAGE_OUT=$(IMAGE_OUT) image/build
image-test: tests ## [tests/image/qemu] boot it in QEMU between a branch office and its vendor, update it (as root; minutes)
	@BUILD=$(BUILD) tests/reach tests/run image/qemu/bpf.sh image/qemu/boot.sh image/qemu/update.sh
image-test-all: tests ## [tests/image/qemu] every scenario in QEMU
	@BUILD=$(BUILD) IMAGE_ALL=1 tests/reach tests/run $(patsubst tests/%,%,$(filter-out %/lib.sh,$(wildcard tests/image/qemu/*.sh)))
flash: ## [image/flash] write the newest image to a disk: DISK=/dev/sdX; it shows which that is, and asks
	@BUILD=$(BUILD) image/flash "$(DISK)"
image-lock: ## take down the newest packages of ARCH that the image is made of
	@BUILD=$(BUILD) image/lock
