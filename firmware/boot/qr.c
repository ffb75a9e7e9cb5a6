/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>
#include <string.h>

#define QUIET	 2  /* modules around it; the standard's four would not fit beside the text */
#define SIDE_MAX 33 /* version 4: up to 78 bytes */

/* Outside of it all is light. */
static bool is_light(const QRcode *code, int x, int y)
{
	return x < 0 || y < 0 || x >= code->width || y >= code->width ||
	       !(code->data[y * code->width + x] & 1);
}

static const char *pair(bool upper, bool lower)
{
	return upper ? lower ? "\u2588" : "\u2580" : lower ? "\u2584" : " ";
}

int qr_text(const char *word, char ret_text[QR_TEXT_MAX], unsigned *ret_width)
{
	QRcode *code = QRcode_encodeString8bit(word, 0, QR_ECLEVEL_L);
	char *at = ret_text;

	if (!code)
		return errno == ENOMEM ? -ENOMEM : -EMSGSIZE;
	if (code->width > SIDE_MAX) {
		QRcode_free(code);
		return -EMSGSIZE;
	}
	_Static_assert((SIDE_MAX + 2 * QUIET) / 2 * ((SIDE_MAX + 2 * QUIET) * 3 + 1) < QR_TEXT_MAX,
		       "room");
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		for (int x = -QUIET; x < code->width + QUIET; x++)
			at = stpcpy(at, pair(is_light(code, x, y), is_light(code, x, y + 1)));
		at = stpcpy(at, "\n");
	}
	*ret_width = (unsigned)code->width + 2 * QUIET;
	QRcode_free(code);
	return 0;
}
