# SPDX-License-Identifier: Apache-2.0
# ARCH=arm64 on a machine of another kind: Debian's cross compiler, and a sysroot of Debian's packages for arm64, by
# image/lock.arm64. It stands beside the machine's own build. BPF objects and the page are the same for every machine.

ifneq ($(ARCH),arm64)
$(error ARCH=$(ARCH): only arm64 can be built on a machine of another kind)
endif
# What would run the programs that are built here can not.
ifneq ($(filter install test% image-test% %bench demo asan fuzz%,$(MAKECMDGOALS)),)
$(error ARCH=$(ARCH): this machine can build its programs, not run them)
endif

BUILD   ?= build/$(ARCH)
IMAGE_OUT ?= build
CROSS   := aarch64-linux-gnu-
SYSROOT := $(BUILD)/sysroot
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
	PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/aarch64-linux-gnu/pkgconfig:$(SYSROOT)/usr/share/pkgconfig pkg-config

$(SYSROOT).ready: image/lock.$(ARCH) image/sysroot | deps-cross
	@BUILD=$(BUILD) IMAGE_OUT=$(IMAGE_OUT) image/sysroot
	@touch $@
