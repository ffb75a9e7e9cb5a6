/* SPDX-License-Identifier: Apache-2.0 */
/* One value of one setting: text to memory, and what is allowed, in words. Any thread; no state. */
#include "firmware/base/settings_priv.h"
#include "firmware/base/origin.h"

#include <inttypes.h>
#include <stdlib.h>

/* All list types look like this: elements and their number. */
struct any_list {
	void *v;
	size_t n;
};

static size_t element_size(enum setting_type type)
{
	switch (type) {
	case SETTING_STRINGS:
	case SETTING_ORIGINS:
		return sizeof(char *);
	case SETTING_ADDRS:
		return sizeof(struct addr);
	case SETTING_NETS:
		return sizeof(struct net);
	case SETTING_PORTS:
		return sizeof(uint16_t);
	case SETTING_SCOPES:
		return sizeof(struct scope_item);
	default:
		return 0;
	}
}

bool setting_is_list(const struct setting *row)
{
	return element_size(row->type) != 0;
}

static int64_t row_max(const struct setting *row)
{
	return row->min == 0 && row->max == 0 ? INT64_MAX : row->max;
}

static const char *choices_text(const struct setting *row, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (const char *const *choice = row->choices; *choice && n < size; choice++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "", *choice);
	return buf;
}

static const char *range_text(const struct setting *row, const char *unit_text, char *buf,
			      size_t size)
{
	if (row_max(row) == INT64_MAX)
		(void)snprintf(buf, size, "%s", unit_text);
	else
		(void)snprintf(buf, size, "%s, from %" PRId64 " to %" PRId64 "%s", unit_text,
			       row->min, row->max, row->type == SETTING_DURATION ? " ms" : "");
	return buf;
}

const char *setting_allowed(const struct setting *row, char *buf, size_t size)
{
	switch (row->type) {
	case SETTING_BOOL:
		return "yes, no";
	case SETTING_INT:
		return range_text(row, "a whole number", buf, size);
	case SETTING_INT_OR_0:
		return range_text(row, "0, or a whole number", buf, size);
	case SETTING_BYTES:
		return range_text(row, "bytes, as 4096, 64K, 20M, 3G or 1T", buf, size);
	case SETTING_DURATION:
		return range_text(row, "a time, as 250ms, 4s, 5m, 1h or 2d", buf, size);
	case SETTING_STRING:
		return "a text";
	case SETTING_PATH:
		return "an absolute path";
	case SETTING_ENUM:
		return choices_text(row, buf, size);
	case SETTING_STRINGS:
		return "a list of words, separated by commas or spaces";
	case SETTING_ADDRS:
		return "IP addresses, each with a port or without, as 192.0.2.1:53 or "
		       "[2001:db8::1]:53";
	case SETTING_NETS:
		return "networks, as 192.0.2.0/24 or 2001:db8::/32, host bits 0";
	case SETTING_PORTS:
		return "ports, 1 to 65535";
	case SETTING_ORIGINS:
		return "servers, as http://192.0.2.7:3128 or https://cache.example";
	case SETTING_SCOPES:
		return "networks (host bits 0), MAC addresses and VLANs, as 192.0.2.0/24, "
		       "2001:db8::7, "
		       "02:00:5e:00:53:01 or vlan:20 (vlan:0: no tag)";
	}
	CHECK(!"a setting of unknown type");
	return "";
}

static int parse_bool(struct span value, bool *ret_value)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (span_ieq(value, span_of(words[i]))) {
			*ret_value = i % 2;
			return 0;
		}
	}
	return -EINVAL;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Digits and one of the units; within the row's limits. */
static int parse_number(const struct setting *row, struct span value, const struct unit *units,
			int64_t *ret_value)
{
	size_t digits = 0;
	struct span unit;
	uint64_t number;

	while (digits < value.n && value.p[digits] >= '0' && value.p[digits] <= '9')
		digits++;
	if (span_u64(span_head(value, digits), &number) < 0)
		return -EINVAL;
	unit = span_drop(value, digits);
	while (units->name && !span_ieq(unit, span_of(units->name)))
		units++;
	/* Nothing of anything is nothing: 0 needs no unit. */
	if (!units->name && !(number == 0 && unit.n == 0))
		return -EINVAL;
	if (units->name && __builtin_mul_overflow(number, units->factor, &number))
		return -EINVAL;
	if (number > INT64_MAX || (int64_t)number > row_max(row) ||
	    ((int64_t)number < row->min && (number || row->type != SETTING_INT_OR_0)))
		return -EINVAL;
	*ret_value = (int64_t)number;
	return 0;
}

static const struct unit units_int[] = { { "", 1 }, { NULL, 0 } };
static const struct unit units_bytes[] = {
	{ "", 1 },	     { "K", 1ull << 10 }, { "M", 1ull << 20 },
	{ "G", 1ull << 30 }, { "T", 1ull << 40 }, { NULL, 0 },
};
static const struct unit units_duration[] = {
	{ "ms", 1 },	      { "s", 1000 },	     { "m", 60 * 1000 },
	{ "h", 3600 * 1000 }, { "d", 86400 * 1000 }, { NULL, 0 },
};

static int parse_string(struct span value, char **at)
{
	char *copy = span_dup(value);

	if (!copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

static int parse_origin(struct span value, char **at)
{
	struct origin origin;
	int rc = origin_parse(value, &origin);

	return rc < 0 ? rc : parse_string(value, at);
}

static int parse_enum(const struct setting *row, struct span value, int *ret_value)
{
	for (int i = 0; row->choices[i]; i++) {
		if (span_ieq(value, span_of(row->choices[i]))) {
			*ret_value = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* One element at `at`, which is zeroed memory of element_size(). */
static int parse_element(const struct setting *row, struct span value, void *at)
{
	uint64_t number;

	switch (row->type) {
	case SETTING_STRINGS:
		return parse_string(value, at);
	case SETTING_ORIGINS:
		return parse_origin(value, at);
	case SETTING_ADDRS:
		return addr_parse(value, (uint16_t)row->min, at);
	case SETTING_NETS:
		return net_parse(value, at);
	case SETTING_SCOPES:
		return scope_parse(value, at);
	default:
		if (span_u64(value, &number) < 0 || number == 0 || number > UINT16_MAX)
			return -EINVAL;
		*(uint16_t *)at = (uint16_t)number;
		return 0;
	}
}

static int append(const struct setting *row, struct span value, struct any_list *list)
{
	size_t size = element_size(row->type);
	char *grown = realloc(list->v, (list->n + 1) * size);
	int rc;

	if (!grown)
		return -ENOMEM;
	list->v = grown;
	memset(grown + list->n * size, 0, size);
	rc = parse_element(row, value, grown + list->n * size);
	if (rc < 0)
		return rc;
	list->n++;
	return 0;
}

/*
 * Elements between commas and blanks; an empty value is an empty list, a doubled comma is harmless.
 */
static int parse_list(const struct setting *row, struct span value, struct any_list *list)
{
	struct span by_comma, word;

	while (span_cut(&value, ',', &by_comma)) {
		for (size_t i = 0; i < by_comma.n; i += word.n + 1) {
			size_t end = i;

			while (end < by_comma.n && by_comma.p[end] != ' ' &&
			       by_comma.p[end] != '\t')
				end++;
			word = span_sub(by_comma, i, end);
			if (word.n) {
				int rc = append(row, word, list);

				if (rc < 0)
					return rc;
			}
		}
	}
	return 0;
}

int setting_parse(const struct setting *row, struct span value, void *at)
{
	switch (row->type) {
	case SETTING_BOOL:
		return parse_bool(value, at);
	case SETTING_INT:
	case SETTING_INT_OR_0:
		return parse_number(row, value, units_int, at);
	case SETTING_BYTES:
		return parse_number(row, value, units_bytes, at);
	case SETTING_DURATION:
		return parse_number(row, value, units_duration, at);
	case SETTING_PATH:
		if (value.n == 0 || value.p[0] != '/')
			return -EINVAL;
		return parse_string(value, at);
	case SETTING_STRING:
		return parse_string(value, at);
	case SETTING_ENUM:
		return parse_enum(row, value, at);
	default:
		return parse_list(row, value, at);
	}
}

static bool has_texts(enum setting_type type)
{
	return type == SETTING_STRINGS || type == SETTING_ORIGINS;
}

void setting_clear(const struct setting *row, void *at)
{
	if (row->type == SETTING_STRING || row->type == SETTING_PATH) {
		free(*(char **)at);
		*(char **)at = NULL;
	} else if (setting_is_list(row)) {
		struct any_list *list = at;

		for (size_t i = 0; has_texts(row->type) && i < list->n; i++)
			free(((char **)list->v)[i]);
		free(list->v);
		*list = (struct any_list){ 0 };
	}
}
