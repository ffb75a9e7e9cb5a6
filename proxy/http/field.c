/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of known fields with a small hash over it, and the cursors over values.
 *
 * The hash table (names to ids) is filled before main() and read-only after. Its function looks
 * at the length and three letters only; the loser of a collision stands in the next slot.
 */
#include "proxy/http/field.h"

#include "proxy/http/chars.h"

struct known_field {
	struct span name;
	unsigned flags;
};

static const struct known_field known[HTTP_FIELD_COUNT] = {
#define X(id, name_, flags_) [HTTP_FIELD_##id] = { { name_, sizeof(name_) - 1 }, flags_ },
	HTTP_FIELDS(X)
#undef X
};

#define SLOTS	    256
#define NAME_LENGTH 32 /* room for the longest known name */

struct slot {
	uint8_t id; /* HTTP_FIELD_UNKNOWN: empty */
	uint8_t length;
	char lower[NAME_LENGTH];
};

static struct slot slots[SLOTS];

_Static_assert(HTTP_FIELD_COUNT < SLOTS / 2, "the table of known fields is too full");

static unsigned name_hash(struct span name)
{
	unsigned first = name.p[0] | 0x20, last = name.p[name.n - 1] | 0x20;
	unsigned middle = name.p[name.n / 2] | 0x20;

	return (first * 7 + last * 31 + middle * 3 + (unsigned)name.n * 59) % SLOTS;
}

static void slot_fill(enum http_field_id id)
{
	struct span name = known[id].name;
	unsigned i = name_hash(name);

	CHECK(name.n <= NAME_LENGTH);
	while (slots[i].id != HTTP_FIELD_UNKNOWN)
		i = (i + 1) % SLOTS;
	slots[i].id = (uint8_t)id;
	slots[i].length = (uint8_t)name.n;
	for (size_t k = 0; k < name.n; k++)
		slots[i].lower[k] = span_lower(name.p[k]);
}

__attribute__((constructor)) static void slots_fill(void)
{
	for (unsigned id = HTTP_FIELD_UNKNOWN + 1; id < HTTP_FIELD_COUNT; id++)
		slot_fill(id);
}

/* Known names have letters and '-' only: no other tchar becomes one of these by `| 0x20`. */
static bool name_is(const struct slot *slot, struct span name)
{
	unsigned differ = 0;

	if (slot->length != name.n)
		return false;
	for (size_t i = 0; i < name.n; i++)
		differ |= (unsigned char)(name.p[i] | 0x20) ^ (unsigned char)slot->lower[i];
	return differ == 0;
}

enum http_field_id http_field_id(struct span name)
{
	if (name.n == 0 || name.n > NAME_LENGTH)
		return HTTP_FIELD_UNKNOWN;
	for (unsigned i = name_hash(name); slots[i].id != HTTP_FIELD_UNKNOWN; i = (i + 1) % SLOTS)
		if (name_is(&slots[i], name))
			return slots[i].id;
	return HTTP_FIELD_UNKNOWN;
}

struct span http_field_name(enum http_field_id id)
{
	CHECK(id > HTTP_FIELD_UNKNOWN && id < HTTP_FIELD_COUNT);
	return known[id].name;
}

unsigned http_field_flags(enum http_field_id id)
{
	CHECK(id < HTTP_FIELD_COUNT);
	return known[id].flags;
}

/* ---- values ------------------------------------------------------------------------------ */

static size_t class_run(struct span s, unsigned class)
{
	size_t i = 0;

	while (i < s.n && http_char_is(s.p[i], class))
		i++;
	return i;
}

bool http_is_token(struct span s)
{
	return s.n > 0 && class_run(s, HTTP_C_TOKEN) == s.n;
}

bool http_is_field_value(struct span s)
{
	return class_run(s, HTTP_C_VALUE) == s.n && span_trim(s).n == s.n;
}

/* Bytes of the quoted string that s starts with, both quotes included; 0 if it is not closed. */
static size_t quoted_length(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\')
			i++;
	}
	return 0;
}

/* Index of the first `end` outside quotes, or s.n. */
static size_t unquoted_find(struct span s, char end)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == end)
			return i;
		if (s.p[i] == '"') {
			size_t q = quoted_length(span_drop(s, i));

			if (q == 0)
				return s.n;
			i += q - 1;
		}
	}
	return s.n;
}

bool http_list_next(struct span *list, struct span *ret_element)
{
	while (list->n > 0) {
		size_t i = unquoted_find(*list, ',');
		struct span element = span_trim(span_head(*list, i));

		*list = span_drop(*list, i + 1);
		if (element.n > 0) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

/* The token or quoted string that s starts with; 0 if there is none. */
static size_t value_length(struct span s)
{
	return s.n > 0 && s.p[0] == '"' ? quoted_length(s) : class_run(s, HTTP_C_TOKEN);
}

int http_param_next(struct span *params, struct span *ret_name, struct span *ret_value)
{
	struct span s = span_trim(*params), name, value = { NULL, 0 };

	while (s.n > 0 && s.p[0] == ';')
		s = span_trim(span_drop(s, 1));
	if (s.n == 0) {
		*params = s;
		return 0;
	}
	name = span_head(s, class_run(s, HTTP_C_TOKEN));
	if (name.n == 0)
		return -EINVAL;
	s = span_trim(span_drop(s, name.n));
	if (s.n > 0 && s.p[0] == '=') {
		s = span_trim(span_drop(s, 1));
		value = span_head(s, value_length(s));
		if (value.n == 0)
			return -EINVAL;
		s = span_trim(span_drop(s, value.n));
	}
	if (s.n > 0 && s.p[0] != ';')
		return -EINVAL;
	*params = s;
	*ret_name = name;
	*ret_value = value;
	return 1;
}
