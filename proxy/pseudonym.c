/* SPDX-License-Identifier: Apache-2.0 */
/* The row is the whole text; one that does not look like it is replaced. */
#include "proxy/pseudonym.h"

#include <stdio.h>
#include <sys/random.h>

#include "cache/store.h"
#include "firmware/base/stat.h"

#define PREFIX "tarn-"
#define DIGITS 8
#define LENGTH (sizeof(PREFIX) - 1 + DIGITS)

_Static_assert(LENGTH < PSEUDONYM_MAX, "room for the NUL");

static const struct span row_name = { "pseudonym", sizeof("pseudonym") - 1 };

static bool is_ours(struct span text)
{
	uint64_t number;

	return text.n == LENGTH && span_starts(text, SPAN(PREFIX)) &&
	       span_hex(span_drop(text, sizeof(PREFIX) - 1), &number) == 0;
}

static bool row_read(struct store *store, char text[PSEUDONYM_MAX])
{
	struct store_reader *reader;
	size_t n = 0;
	bool found;

	if (store_reader_new(store, &reader) < 0)
		return false;
	found = store_state_get(reader, row_name, text, PSEUDONYM_MAX - 1, &n) == 0 &&
		is_ours(span_make(text, n));
	store_reader_free(&reader);
	text[found ? n : 0] = 0;
	return found;
}

void pseudonym_find(struct store *store, struct writer *writer, char ret_text[PSEUDONYM_MAX])
{
	uint32_t number = 0;

	if (row_read(store, ret_text))
		return;
	CHECK(getrandom(&number, sizeof(number), 0) == sizeof(number));
	(void)snprintf(ret_text, PSEUDONYM_MAX, PREFIX "%08x", number);
	if (writer_put_state(writer, row_name, span_of(ret_text), NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}
