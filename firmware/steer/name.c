/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same bytes, in the same order, as bpf/names.bpf.c makes of a question: from the last label to the
 * first, each label's characters backwards, then its length.
 */
#include "firmware/steer/name.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static bool char_allowed(unsigned char c)
{
	return isalnum(c) || c == '-' || c == '_';
}

/* Appends the label name[0..len) backwards at text + *n. */
static int label_put(const char *name, size_t len, __u8 *text, size_t *n)
{
	if (!len || len > TARN_LABEL_MAX || *n + len + 1 > TARN_NAME_BYTES)
		return -EINVAL;
	for (size_t i = len; i-- > 0;) {
		if (!char_allowed((unsigned char)name[i]))
			return -EINVAL;
		text[(*n)++] = (__u8)tolower((unsigned char)name[i]);
	}
	text[(*n)++] = (__u8)len;
	return 0;
}

int name_key(const char *name, size_t len, bool suffix, struct tarn_name_key *ret_key)
{
	struct tarn_name_key key = { 0 };
	size_t end = len, n = 0;
	int rc;

	if (len && name[0] == '.') {
		name++;
		end = --len;
	}
	if (!len)
		return -EINVAL;
	for (size_t i = len; i-- > 0;) {
		if (i && name[i - 1] != '.')
			continue;
		rc = label_put(name + i, end - i, key.text, &n);
		if (rc)
			return rc;
		end = i ? i - 1 : 0;
	}
	if (!suffix) {
		if (n == TARN_NAME_BYTES)
			return -EINVAL;
		key.text[n++] = TARN_NAME_START;
	}
	key.bits = (__u32)n * 8;
	*ret_key = key;
	return 0;
}
