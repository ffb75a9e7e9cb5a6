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

image_tests := $(filter-out %/lib.sh,$(wildcard tests/image/qemu/*.sh tests/image/build/*.sh))
image_targets := $(patsubst %.sh,image-test-%,$(notdir $(image_tests)))
.PHONY: image image-lock image-test image-test-all flash boot-programs $(image_targets)
boot-programs: $(BOOT_PROGRAMS)
##@ Appliance
image: all boot-programs deps-image ## the appliance's image (build/tarn-*.img.zst and .update); ARCH=arm64: for such machines
	@BUILD=$(BUILD) IMAGE_OUT=$(IMAGE_OUT) image/build
image-test: tests ## [tests/image/qemu] boot it in QEMU between a branch office and its vendor, update it (as root; minutes)
	@BUILD=$(BUILD) tests/reach tests/run image/qemu/bpf.sh image/qemu/boot.sh image/qemu/update.sh
image-test-all: tests ## [tests/image] every scenario (an hour and more); each alone: image-test-hang, image-test-links ...
	@BUILD=$(BUILD) tests/reach tests/run $(image_tests:tests/%=%)
$(image_targets): image-test-%: tests
	@BUILD=$(BUILD) tests/reach tests/run $(filter %/$*.sh,$(image_tests:tests/%=%))
flash: ## [image/flash] write the newest image to a disk: DISK=/dev/sdX; it shows which that is, and asks
	@BUILD=$(BUILD) IMAGE_OUT=$(IMAGE_OUT) image/flash "$(DISK)"
image-lock: ## take down the newest packages of ARCH that the image is made of
	@BUILD=$(BUILD) image/lock
