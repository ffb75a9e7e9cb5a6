/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QR code (ISO/IEC 18004) as text: two modules a character, light on the console's black, with their quiet zone.
 */
#ifndef FIRMWARE_BOOT_QR_H
#define FIRMWARE_BOOT_QR_H

#include <stddef.h>

#include "firmware/base/check.h"

#define QR_TEXT_MAX 8192 /* bytes, with the ending zero */

/* Lines in UTF-8, each ended by '\n', and how many characters a line has; -EMSGSIZE: `word` is too long for a screen. */
MUST_USE int qr_text(const char *word, char ret_text[QR_TEXT_MAX], unsigned *ret_width);

#endif
