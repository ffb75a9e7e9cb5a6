# SPDX-License-Identifier: Apache-2.0
# bpf/X.bpf.c becomes build/bpf/X.skel.h, with the object and its loader inside. Kernel types come
# from the UAPI headers; what differs between kernels is read through helpers, not through structs.

# -fdebug-compilation-dir: BTF names source files, and would name the folder of the build.
BPF_CFLAGS = -O2 -g -fdebug-compilation-dir=. -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror \
	-I. -I/usr/include/$(shell gcc -print-multiarch)

ifeq ($(CONFIG_BPF),y)
SKELETONS   := $(patsubst %.bpf.c,build/%.skel.h,$(wildcard bpf/*.bpf.c))
BPF_OBJECTS := $(SKELETONS:.skel.h=.bpf.o)
.SECONDARY: $(SKELETONS) $(BPF_OBJECTS)
endif
