/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	tarn access 1 SERIAL
 *	operate HASH
 *	view HASH
 *	token HASH
 *	end
 *
 * A HASH that is not there is "-". What lacks its end was cut short, and is not believed.
 */
#include "firmware/base/access_kept.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LETTERS                                                                                    \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"                           \
	"$./+="

_Static_assert(3 * (ACCESS_HASH_MAX + 8) + 48 <= ACCESS_TEXT_MAX, "room");

static bool hash_valid(const char hash[ACCESS_HASH_MAX])
{
	size_t n = strnlen(hash, ACCESS_HASH_MAX);

	if (n == ACCESS_HASH_MAX || strspn(hash, LETTERS) != n)
		return false;
	for (size_t i = n; i < ACCESS_HASH_MAX; i++)
		if (hash[i])
			return false;
	return true;
}

bool access_kept_valid(const struct access_kept *kept)
{
	return kept->serial && hash_valid(kept->operate) && hash_valid(kept->view) &&
	       hash_valid(kept->token);
}

static const char *or_none(const char *hash)
{
	return *hash ? hash : "-";
}

size_t access_kept_text(const struct access_kept *kept, char ret_text[ACCESS_TEXT_MAX])
{
	int n = snprintf(ret_text, ACCESS_TEXT_MAX,
			 "tarn access 1 %" PRIu64 "\noperate %s\nview %s\ntoken %s\nend\n",
			 kept->serial, or_none(kept->operate), or_none(kept->view),
			 or_none(kept->token));

	CHECK(n > 0 && n < ACCESS_TEXT_MAX);
	return (size_t)n;
}

/* The line's end is cut off with it. */
static struct span line_take(struct span *rest)
{
	size_t n = span_find(*rest, '\n');
	struct span line = span_head(*rest, n);

	*rest = span_drop(*rest, n < rest->n ? n + 1 : n);
	return line;
}

static bool hash_take(struct span *rest, struct span name, char ret_hash[ACCESS_HASH_MAX])
{
	struct span line = line_take(rest);

	if (!span_starts(line, name))
		return false;
	line = span_drop(line, name.n);
	if (!line.n || line.n >= ACCESS_HASH_MAX)
		return false;
	if (!span_eq(line, SPAN("-")))
		memcpy(ret_hash, line.p, line.n);
	return true;
}

int access_kept_parse(struct span text, struct access_kept *ret_kept)
{
	struct access_kept kept = { 0 };
	struct span head = line_take(&text);

	if (!span_starts(head, SPAN("tarn access 1 ")) ||
	    span_u64(span_drop(head, 14), &kept.serial) < 0 ||
	    !hash_take(&text, SPAN("operate "), kept.operate) ||
	    !hash_take(&text, SPAN("view "), kept.view) ||
	    !hash_take(&text, SPAN("token "), kept.token) || !span_eq(text, SPAN("end\n")) ||
	    !access_kept_valid(&kept))
		return -EBADMSG;
	*ret_kept = kept;
	return 0;
}

int access_kept_read(int fd, struct access_kept *ret_kept)
{
	char text[ACCESS_TEXT_MAX];
	ssize_t n;

	do
		n = pread(fd, text, sizeof(text), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	return access_kept_parse(span_make(text, (size_t)n), ret_kept);
}
