/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache-Control, one line, and one more line behind the first LF. Held to: values stay in their
 * bounds, and a second line never makes a response live longer than the first alone did.
 */
#include "tests/fuzz/fuzz.h"
#include "proxy/http/cachectl.h"
#include "proxy/http/sfv.h"

static void check_seconds(int64_t seconds, bool present, bool may_be_unlimited)
{
	CHECK(seconds >= -1 && seconds <= CACHECTL_SECONDS_MAX);
	if (present)
		CHECK(seconds >= 0 || may_be_unlimited);
	else
		CHECK(seconds == -1);
}

static void check_bounds(const struct cachectl *cc, struct span in)
{
	check_seconds(cc->max_age, cachectl_has(cc, CACHECTL_MAX_AGE), false);
	check_seconds(cc->s_maxage, cachectl_has(cc, CACHECTL_S_MAXAGE), false);
	check_seconds(cc->min_fresh, cachectl_has(cc, CACHECTL_MIN_FRESH), false);
	check_seconds(cc->max_stale, cachectl_has(cc, CACHECTL_MAX_STALE), true);
	check_seconds(cc->stale_while_revalidate, cachectl_has(cc, CACHECTL_STALE_WHILE_REVALIDATE),
		      false);
	check_seconds(cc->stale_if_error, cachectl_has(cc, CACHECTL_STALE_IF_ERROR), false);
	CHECK(span_lies_in(cc->no_cache_fields, in) && span_lies_in(cc->private_fields, in));
	CHECK(!cc->no_cache_fields.p || cachectl_has(cc, CACHECTL_NO_CACHE));
	CHECK(!cc->private_fields.p || cachectl_has(cc, CACHECTL_PRIVATE));
}

static bool lives_no_longer(int64_t before, int64_t after)
{
	return before == -1 || (after >= 0 && after <= before);
}

static void check_more_restrictive(const struct cachectl *a, const struct cachectl *b)
{
	CHECK((a->present & ~b->present) == 0);
	CHECK(lives_no_longer(a->max_age, b->max_age));
	CHECK(lives_no_longer(a->s_maxage, b->s_maxage));
	CHECK(lives_no_longer(a->max_stale, b->max_stale));
	CHECK(lives_no_longer(a->stale_if_error, b->stale_if_error));
	CHECK(lives_no_longer(a->stale_while_revalidate, b->stale_while_revalidate));
	CHECK(a->min_fresh <= b->min_fresh);
	CHECK(!cachectl_has(a, CACHECTL_NO_CACHE) || a->no_cache_fields.p || !b->no_cache_fields.p);
	CHECK(!cachectl_has(a, CACHECTL_PRIVATE) || a->private_fields.p || !b->private_fields.p);
}

static void walk_dictionary(struct span in)
{
	struct span rest = in, key;
	struct sfv_item item;
	size_t before = rest.n;

	while (sfv_member_next(&rest, &key, &item) > 0) {
		CHECK(span_lies_in(key, in) && span_lies_in(item.text, in) && key.n > 0);
		CHECK(rest.n < before);
		before = rest.n;
	}
}

/* As the value of CDN-Cache-Control, if the line can be a field value at all. */
static void try_targeted(struct span line)
{
	static struct http_head h;
	struct cachectl cc;

	if (!http_is_field_value(line))
		return;
	memset(&h, 0, sizeof(h));
	h.fields[0] = (struct http_field){ http_field_name(HTTP_FIELD_CDN_CACHE_CONTROL), line,
					   HTTP_FIELD_CDN_CACHE_CONTROL };
	h.nfields = 1;
	h.present[HTTP_FIELD_CDN_CACHE_CONTROL / 64] = UINT64_C(1)
						       << (HTTP_FIELD_CDN_CACHE_CONTROL % 64);
	cc = cachectl_of_response(&h);
	check_bounds(&cc, line);
	CHECK(cc.from_cdn || cc.present == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_make(data, size));
	struct span in = span_make(copy, size), first = in, second = { NULL, 0 };
	struct cachectl cc = cachectl_none(), both;
	size_t cut = span_find(in, '\n');

	if (cut < in.n) {
		first = span_head(in, cut);
		second = span_drop(in, cut + 1);
	}
	cachectl_add(&cc, first);
	check_bounds(&cc, in);
	both = cc;
	cachectl_add(&both, second);
	check_bounds(&both, in);
	check_more_restrictive(&cc, &both);
	walk_dictionary(first);
	try_targeted(first);
	free(copy);
	return 0;
}
