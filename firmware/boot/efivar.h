/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the boot loader, or the guard before it (image/guard.c), has left in the firmware's variables.
 */
#ifndef FIRMWARE_BOOT_EFIVAR_H
#define FIRMWARE_BOOT_EFIVAR_H

#include <stddef.h>
#include <stdint.h>

#include "firmware/base/check.h"

#define EFIVARS	      "/sys/firmware/efi/efivars/"
#define EFIVAR_LOADER "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" /* systemd's Boot Loader Interface */
#define EFIVAR_TARN   "-7461726e-0000-4000-8000-000000000010"

/*
 * The text of the variable at `path` (of efivarfs), NUL-terminated. 0, -errno, -EILSEQ: something but printable ASCII in it,
 * -ENOSPC: longer than `size` - 1.
 */
MUST_USE int efivar_text(const char *path, char *ret_text, size_t size);

/* The variable's bytes, up to `size`. 0 or -errno; -ENOSPC: it is longer. */
MUST_USE int efivar_raw(const char *path, uint8_t *ret, size_t size, size_t *ret_n);

#endif
