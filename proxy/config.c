/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One whole configuration: read, completed by the command line, counted.
 *
 * A struct config is made by the main thread, is constant from then on, and is freed by whoever gives the last
 * reference back, on any thread.
 */
#include "proxy/config.h"

#include <stdlib.h>

#include "proxy/upstream/trust.h"

/* "section.key=value" from the command line, with the same checks as a line of the file. */
static int override_apply(const char *text, struct tarn_settings *settings,
			  struct settings_error *error)
{
	const char *dot = strchr(text, '.'), *equals = dot ? strchr(dot, '=') : NULL;
	uint8_t *seen;
	int rc;

	snprintf(error->file, sizeof(error->file), "-o %s", text);
	error->line = 0;
	if (!equals)
		return settings_wrong(error, "section.key=value", "not a setting");
	seen = calloc(tarn_conf_table.n, 1);
	if (!seen) {
		(void)settings_wrong(error, "", "out of memory");
		return -ENOMEM;
	}
	rc = settings_set(&tarn_conf_table, span_make(text, (size_t)(dot - text)),
			  span_make(dot + 1, (size_t)(equals - dot - 1)), span_of(equals + 1), seen,
			  settings, error);
	free(seen);
	return rc;
}

int config_load(const struct config_source *source, struct config **ret_config,
		struct settings_error *error)
{
	struct config *config = calloc(1, sizeof(*config));
	int rc;

	if (!config) {
		(void)settings_wrong(error, "", "out of memory");
		return -ENOMEM;
	}
	atomic_init(&config->refs, 1);
	rc = tarn_conf_load(source->path, &config->settings, error);
	if (rc < 0) {
		free(config);
		return rc;
	}
	for (size_t i = 0; i < source->overrides_n && rc == 0; i++)
		rc = override_apply(source->overrides[i], &config->settings, error);
	if (rc == 0)
		rc = profiles_load(config->settings.vendors.dir, &config->profiles, error);
	if (rc == 0)
		rc = trust_new(&config->settings, config->profiles, &config->trust, error);
	if (rc < 0) {
		config_unref(&config);
		return rc;
	}
	*ret_config = config;
	return 0;
}

struct config *config_ref(struct config *config)
{
	atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
	return config;
}

void config_unref(struct config **ptr)
{
	struct config *config = *ptr;

	*ptr = NULL;
	if (!config || atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) != 1)
		return;
	trust_free(&config->trust);
	if (config->profiles)
		profiles_unref(&config->profiles);
	tarn_conf_free(&config->settings);
	free(config);
}
