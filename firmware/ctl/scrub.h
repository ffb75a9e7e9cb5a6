/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must not leave the house is taken out of what is about to: members that hold secrets, values that identify an
 * installation, and, where the admin does not want devices known, every address but the machine's own loopback.
 */
#ifndef FIRMWARE_CTL_SCRUB_H
#define FIRMWARE_CTL_SCRUB_H

#include <jansson.h>

#include "firmware/base/tarn_conf.h"

#define SCRUBBED "(not shown)"

struct scrub {
	const struct tarn_settings *settings; /* whose private values are looked for */
	bool addresses;			      /* take them out, too */
};

/* By [demand] devices: only "on" leaves addresses where they are. */
struct scrub scrub_of(const struct tarn_settings *settings);

/* A text without them; free() it. */
char *scrub_text(const struct scrub *scrub, const char *text);
/* A copy of a document without them. */
json_t *scrub_json(const struct scrub *scrub, const json_t *json);

#endif
