/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One whole, immutable configuration: settings and vendor profiles, shared by reference. A reload makes a new
 * one; a request keeps the one it began with.
 */
#ifndef TARN_PROXY_CONFIG_H
#define TARN_PROXY_CONFIG_H

#include <stdatomic.h>

#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"

struct config {
	struct tarn_settings settings;
	struct profiles *profiles;
	struct trust *trust; /* proxy/upstream/trust.h */
	atomic_uint refs;    /* config.c's own */
};

/* A setting given on the command line: "section.key=value". */
struct config_source {
	const char *path; /* NULL: TARN_CONF_PATH, which need not exist */
	const char *const *overrides;
	size_t overrides_n;
};

/* 0 and a reference, or -errno with *error filled, ready to print. */
MUST_USE int config_load(const struct config_source *source, struct config **ret_config,
			 struct settings_error *error);
/* Any thread. */
struct config *config_ref(struct config *config);
void config_unref(struct config **config);

#endif
