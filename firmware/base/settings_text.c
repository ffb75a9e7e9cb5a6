/* SPDX-License-Identifier: Apache-2.0 */
/* One value of one setting as text that means the same when it is read again. Any thread; no state. */
#include "firmware/base/settings_priv.h"

#include <inttypes.h>
#include <stdlib.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit units_int[] = { { "", 1 } };
static const struct unit units_bytes[] = {
	{ "T", 1LL << 40 }, { "G", 1LL << 30 }, { "M", 1LL << 20 }, { "K", 1LL << 10 }, { "", 1 },
};
static const struct unit units_duration[] = {
	{ "d", 86400 * 1000 }, { "h", 3600 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }, { "ms", 1 },
};

/* In the largest unit that leaves no rest; the last one is 1. Nothing of anything is plain 0. */
static void put_number(FILE *to, int64_t value, const struct unit *units)
{
	while (value % units->factor != 0)
		units++;
	fprintf(to, "%" PRId64 "%s", value / units->factor, value ? units->name : "");
}

static void put_addrs(FILE *to, const struct addr_list *list, uint16_t default_port)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < list->n; i++) {
		const struct addr *addr = &list->v[i];

		fprintf(to, "%s%s", i ? " " : "",
			addr_port(addr) == default_port ? addr_ip_format(addr, text)
							: addr_format(addr, text));
	}
}

static void put_nets(FILE *to, const struct net_list *list)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < list->n; i++)
		fprintf(to, "%s%s", i ? " " : "", net_format(&list->v[i], text));
}

static void put_scopes(FILE *to, const struct scope_list *list)
{
	char text[SCOPE_TEXT_MAX];

	for (size_t i = 0; i < list->n; i++)
		fprintf(to, "%s%s", i ? " " : "", scope_format(&list->v[i], text));
}

static void put_words(FILE *to, const struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		fprintf(to, "%s%s", i ? " " : "", list->v[i]);
}

static void put_ports(FILE *to, const struct port_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		fprintf(to, "%s%u", i ? " " : "", list->v[i]);
}

static void put_value(FILE *to, const struct setting *row, const void *at)
{
	switch (row->type) {
	case SETTING_BOOL:
		fputs(*(const bool *)at ? "yes" : "no", to);
		break;
	case SETTING_INT:
	case SETTING_INT_OR_0:
		put_number(to, *(const int64_t *)at, units_int);
		break;
	case SETTING_BYTES:
		put_number(to, *(const int64_t *)at, units_bytes);
		break;
	case SETTING_DURATION:
		put_number(to, *(const int64_t *)at, units_duration);
		break;
	case SETTING_STRING:
	case SETTING_PATH:
		fputs(*(char *const *)at, to);
		break;
	case SETTING_ENUM:
		fputs(row->choices[*(const int *)at], to);
		break;
	case SETTING_STRINGS:
	case SETTING_ORIGINS:
		put_words(to, at);
		break;
	case SETTING_ADDRS:
		put_addrs(to, at, (uint16_t)row->min);
		break;
	case SETTING_NETS:
		put_nets(to, at);
		break;
	case SETTING_PORTS:
		put_ports(to, at);
		break;
	case SETTING_SCOPES:
		put_scopes(to, at);
		break;
	}
}

char *setting_text(const struct settings_table *table, size_t i, const void *values)
{
	const struct setting *row = &table->rows[i];
	char *text = NULL;
	size_t n = 0;
	FILE *to;

	CHECK(i < table->n);
	to = open_memstream(&text, &n);
	if (!to)
		return NULL;
	put_value(to, row, (const char *)values + row->offset);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
