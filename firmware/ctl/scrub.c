/* SPDX-License-Identifier: Apache-2.0 */
/* No state. Out of memory ends the program (CHECK): nothing half scrubbed goes out. */
#include "firmware/ctl/scrub.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_ON 0 /* the first choice of [demand] devices */

struct scrub scrub_of(const struct tarn_settings *settings)
{
	return (struct scrub){ .settings = settings,
			       .addresses = settings->demand.devices != DEVICES_ON };
}

/* Members of any document whose value is nobody's business, whatever it is. */
static bool is_secret(const char *name)
{
	static const char *const parts[] = {
		"password", "secret", "token",	   "cookie",	   "csrf",    "private",
		"hash",	    "salt",   "pseudonym", "installation", "licence", "authorization"
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strcasestr(name, parts[i]))
			return true;
	return false;
}

static bool is_address_byte(char c)
{
	return isxdigit((unsigned char)c) || c == '.' || c == ':' || c == '[' || c == ']';
}

/* What looks like an address at `text`; 0: nothing. Trailing points and colons are not of it. */
static size_t address_at(const char *text)
{
	struct addr addr;
	size_t n = 0;

	while (n < ADDR_TEXT_MAX && is_address_byte(text[n]))
		n++;
	while (n && (text[n - 1] == '.' || text[n - 1] == ':'))
		n--;
	if (n < 3 || !memchr(text, text[strcspn(text, ".:")], n) ||
	    addr_parse(span_make(text, n), 0, &addr) < 0 || addr_is_loopback(&addr))
		return 0;
	return n;
}

/* The private value that begins here, of any setting that holds one. */
static size_t private_at(const struct scrub *scrub, const char *text)
{
	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];
		const char *value;

		if (!tarn_conf_private(row) || row->type != SETTING_STRING)
			continue;
		value = *(char *const *)((const char *)scrub->settings + row->offset);
		if (value[0] && strncmp(text, value, strlen(value)) == 0)
			return strlen(value);
	}
	return 0;
}

char *scrub_text(const struct scrub *scrub, const char *text)
{
	char *made = NULL;
	bool word = false; /* the byte before is of a word: no address begins here */
	size_t size = 0, n;
	FILE *to = open_memstream(&made, &size);

	CHECK(to != NULL);
	while (*text) {
		n = private_at(scrub, text);
		if (!n && scrub->addresses && !word)
			n = address_at(text);
		if (n) {
			fputs(SCRUBBED, to);
			text += n;
			word = false;
			continue;
		}
		word = isalnum((unsigned char)*text) || *text == '.' || *text == ':';
		fputc(*text++, to);
	}
	CHECK(fclose(to) == 0 && made != NULL);
	return made;
}

static json_t *scrub_string(const struct scrub *scrub, const char *text)
{
	char *clean = scrub_text(scrub, text);
	json_t *json = json_string(clean);

	free(clean);
	return json;
}

json_t *scrub_json(const struct scrub *scrub, const json_t *json)
{
	json_t *made = NULL, *value;
	const char *name;
	size_t i;

	if (json_is_object(json)) {
		made = json_object();
		json_object_foreach((json_t *)json, name, value)
		{
			CHECK_OK(json_object_set_new(made, name,
						     is_secret(name) && !json_is_boolean(value)
							     ? json_string(SCRUBBED)
							     : scrub_json(scrub, value)));
		}
	} else if (json_is_array(json)) {
		made = json_array();
		json_array_foreach(json, i, value)
		{
			CHECK_OK(json_array_append_new(made, scrub_json(scrub, value)));
		}
	} else if (json_is_string(json)) {
		made = scrub_string(scrub, json_string_value(json));
	} else {
		made = json_deep_copy(json);
	}
	CHECK(made != NULL);
	return made;
}
