/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnd as a whole: network, BPF, data plane and their arming, in one event loop.
 */
#ifndef FIRMWARE_KEEPER_KEEPER_H
#define FIRMWARE_KEEPER_KEEPER_H

#include "firmware/base/tarn_conf.h"
#include "firmware/keeper/child.h"

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
/*
 * One arm, for a machine with a single port: from now on `steer.mode` is as if the settings said off, and tarn-proxy listens to
 * the network unless they say where.
 */
void tarnd_one_arm(void);
/* What that makes of settings to run by. */
void tarnd_config_adapt(struct tarnd_config *config);
/* What tarn-proxy is told beside the file: texts for its -o, ended by NULL. */
void tarnd_config_overrides(const struct tarnd_config *config,
			    const char *ret_overrides[CHILD_OVERRIDES + 1]);

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
