/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/channel.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "TARN-CHANNEL 1"

static const char *const texts[] = {
#define X(name, text) text,
	CHANNEL_VERDICTS(X)
#undef X
};

const char *channel_verdict_text(enum channel_verdict verdict)
{
	return texts[verdict];
}

/* 0 to 100 percent. */
static int share_parse(struct span text, unsigned *ret_share)
{
	uint64_t percent;

	if (span_u64(text, &percent) || percent > 100)
		return -EINVAL;
	*ret_share = (unsigned)percent * (CHANNEL_PARTS / 100);
	return 0;
}

static int line_take(struct channel *c, struct span line, struct span arch)
{
	struct span key = span_head(line, span_find(line, '=')), value;

	if (key.n == line.n)
		return 0;
	value = span_drop(line, key.n + 1);
	if (span_eq(key, SPAN("version")))
		return version_valid(value) ? span_copy(value, c->version, sizeof(c->version))
					    : -EINVAL;
	if (span_eq(key, SPAN("share")))
		return share_parse(value, &c->share);
	if (!span_eq(key, arch))
		return 0;
	return span_starts(value, SPAN("https://")) ? span_copy(value, c->url, sizeof(c->url))
						    : -EINVAL;
}

int channel_parse(struct span text, const char *arch, struct channel *ret_channel)
{
	struct channel c = { .share = CHANNEL_PARTS };
	struct span line;

	if (!span_cut(&text, '\n', &line) || !span_eq(line, SPAN(MAGIC)))
		return -EINVAL;
	while (span_cut(&text, '\n', &line))
		if (line_take(&c, line, span_of(arch)))
			return -EINVAL;
	if (!*c.version)
		return -EINVAL;
	*ret_channel = c;
	return 0;
}

unsigned channel_place(const char *id, const char *version)
{
	char text[200];
	uint8_t sha[32];
	int n = snprintf(text, sizeof(text), "%.64s %.*s", id, SLOT_VERSION, version);

	CHECK(EVP_Digest(text, (size_t)n, sha, NULL, EVP_sha256(), NULL) == 1);
	return (unsigned)(((uint32_t)sha[0] << 24 | (uint32_t)sha[1] << 16 | (uint32_t)sha[2] << 8 |
			   sha[3]) %
			  CHANNEL_PARTS);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Tried here, and given up? */
static bool failed_before(const json_t *machine, const char *version)
{
	json_t *slot;
	size_t i;

	json_array_foreach(json_object_get(machine, "slots"), i, slot)
	{
		if (!strcmp(text_of(slot, "version"), version) &&
		    !strcmp(text_of(slot, "state"), "bad"))
			return true;
	}
	return false;
}

enum channel_verdict channel_judge(const struct channel *c, const json_t *machine,
				   const char *attempt, const char *id)
{
	const char *running = text_of(machine, "version");

	if (version_compare(c->version, running) <= 0)
		return CHANNEL_NOTHING_NEW;
	if (json_is_true(json_object_get(machine, "on_trial")))
		return CHANNEL_ON_TRIAL;
	if (!strcmp(c->version, attempt))
		return CHANNEL_WAITING;
	if (failed_before(machine, c->version))
		return CHANNEL_FAILED;
	if (!*c->url)
		return CHANNEL_NOT_FOR_US;
	return channel_place(id, c->version) < c->share ? CHANNEL_TAKE : CHANNEL_NOT_YET;
}
