/* SPDX-License-Identifier: Apache-2.0 */
/* Between settings.c (tables) and settings_value.c (one value). */
#ifndef FIRMWARE_BASE_SETTINGS_PRIV_H
#define FIRMWARE_BASE_SETTINGS_PRIV_H

#include "firmware/base/settings.h"

bool setting_is_list(const struct setting *row);

/*
 * Sets a scalar or appends to a list at `at`, the row's place in the struct. 0, -EINVAL or -ENOMEM.
 */
MUST_USE int setting_parse(const struct setting *row, struct span value, void *at);

/* Frees what the value owns and zeroes it. */
void setting_clear(const struct setting *row, void *at);

#endif
