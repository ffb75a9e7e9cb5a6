/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the empty line. Invariants: all bytes before `seen` have been looked at; `line` is where
 * the line starts in which `seen` lies; no line before it, but one that was skipped, is empty.
 */
#include "proxy/http/scan.h"

#include <string.h>

/* Is the line buf[line..lf], ended by the LF at lf, empty? */
static bool line_is_empty(const char *buf, size_t line, size_t lf)
{
	return lf == line || (lf == line + 1 && buf[line] == '\r');
}

static bool may_skip(const struct head_scan *s, size_t lf)
{
	return !s->exact && s->skipped == 0 && s->line == 0 && lf == 1;
}

int head_scan(struct head_scan *s, const char *buf, size_t n, size_t max, size_t *ret_len)
{
	CHECK(s->seen <= n);
	while (s->seen < n) {
		const char *hit = memchr(buf + s->seen, '\n', n - s->seen);
		size_t lf;

		if (!hit) {
			s->seen = n;
			break;
		}
		lf = (size_t)(hit - buf);
		s->seen = lf + 1;
		if (lf + 1 - s->skipped > max)
			return -EMSGSIZE;
		if (line_is_empty(buf, s->line, lf)) {
			if (!may_skip(s, lf)) {
				*ret_len = lf + 1 - s->skipped;
				return 0;
			}
			s->skipped = lf + 1;
		}
		s->line = lf + 1;
	}
	return n - s->skipped >= max ? -EMSGSIZE : -EAGAIN;
}
