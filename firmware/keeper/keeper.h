/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnd as a whole: network, BPF, data plane and their arming, in one event loop.
 */
#ifndef FIRMWARE_KEEPER_KEEPER_H
#define FIRMWARE_KEEPER_KEEPER_H

#include "firmware/base/tarn_conf.h"

#define TARND_WHY_MAX 512

struct event_base;
struct tarnd;

/* A configuration as the three programs see it: settings and vendor profiles. */
struct tarnd_config {
	const char *path; /* as given; NULL: the default */
	struct tarn_settings settings;
	struct profiles *profiles;
};

/* Reads both. 0, or -errno with "file:line: ..." in `why`; then *ret_config is untouched. */
MUST_USE int tarnd_config_load(const char *path, struct tarnd_config *ret_config,
			       char why[TARND_WHY_MAX]);
void tarnd_config_free(struct tarnd_config *config);

/* Does it fit this machine - ports, user? Touches nothing. 0 or -errno with `why`. */
MUST_USE int tarnd_config_check(const struct tarnd_config *config, char why[TARND_WHY_MAX]);

/* Makes and starts everything; takes the configuration when it succeeds. On failure (-errno, `why`) nothing is
 * left. When it has been asked to end by SIGTERM or SIGINT and has, it breaks the loop. */
MUST_USE int tarnd_new(struct event_base *base, struct tarnd_config *config,
		       struct tarnd **ret_tarnd, char why[TARND_WHY_MAX]);
/* Once the loop is broken: did it end so that its successor takes over settings that only a start does? */
bool tarnd_anew(const struct tarnd *tarnd);
/* Removes everything that it made. */
void tarnd_free(struct tarnd **tarnd);

#endif
