/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration, whole or not at all.
 */
#include "firmware/keeper/keeper.h"

#include <stdio.h>
#include <string.h>

#include "firmware/base/profile.h"
#include "firmware/keeper/child.h"
#include "firmware/keeper/plan.h"

static bool one_arm;

void tarnd_one_arm(void)
{
	one_arm = true;
}

void tarnd_config_adapt(struct tarnd_config *config)
{
	if (one_arm)
		config->settings.steer.mode = TARN_STEER_OFF;
}

/* Does tarn-proxy listen where it would by itself? */
static bool listens_by_default(const struct tarn_settings *settings)
{
	struct tarn_settings defaults;
	struct settings_error error;
	bool same;

	if (settings_load(NULL, true, &tarn_conf_table, &defaults, &error))
		return false;
	same = settings->proxy.listen.n == defaults.proxy.listen.n;
	for (size_t i = 0; same && i < defaults.proxy.listen.n; i++)
		same = addr_eq(&settings->proxy.listen.v[i], &defaults.proxy.listen.v[i]);
	tarn_conf_free(&defaults);
	return same;
}

void tarnd_config_overrides(const struct tarnd_config *config,
			    const char *ret_overrides[CHILD_OVERRIDES + 1])
{
	size_t n = 0;

	if (one_arm)
		ret_overrides[n++] = "steer.mode=off";
	if (one_arm && listens_by_default(&config->settings))
		ret_overrides[n++] = "proxy.listen=0.0.0.0:3128 [::]:3128";
	ret_overrides[n] = NULL;
}

int tarnd_config_load(const char *path, struct tarnd_config *ret_config, char why[TARND_WHY_MAX])
{
	struct tarnd_config config = { .path = path };
	struct settings_error error = { 0 };
	int rc = tarn_conf_load(path, &config.settings, &error);

	if (rc) {
		settings_error_text(&error, why, TARND_WHY_MAX);
		return rc;
	}
	rc = profiles_load(config.settings.vendors.dir, &config.profiles, &error);
	if (rc) {
		settings_error_text(&error, why, TARND_WHY_MAX);
		tarn_conf_free(&config.settings);
		return rc;
	}
	*ret_config = config;
	return 0;
}

void tarnd_config_free(struct tarnd_config *config)
{
	profiles_unref(&config->profiles);
	tarn_conf_free(&config->settings);
}

struct net_plan tarnd_net_plan(const struct tarn_settings *settings)
{
	return (struct net_plan){
		.bridge_mode = settings->steer.mode == TARN_STEER_BRIDGE,
		.bridge = settings->steer.bridge,
		.lan = settings->steer.lan,
		.wan = settings->steer.wan,
	};
}

int tarnd_config_check(const struct tarnd_config *config, char why[TARND_WHY_MAX])
{
	struct net_plan plan = tarnd_net_plan(&config->settings);
	struct net_kernel *kernel;
	uid_t uid;
	gid_t gid;
	int rc = child_identity(config->settings.keeper.user, &uid, &gid);

	if (rc) {
		snprintf(why, TARND_WHY_MAX, "[keeper] user: '%s' has root's rights",
			 config->settings.keeper.user);
		return rc;
	}
	if (one_arm || config->settings.steer.mode == TARN_STEER_OFF)
		return 0;
	rc = net_kernel_open(&kernel);
	if (rc) {
		snprintf(why, TARND_WHY_MAX, "netlink: %s", strerror(-rc));
		return rc;
	}
	rc = net_check(kernel, &plan, why);
	kernel->ops->close(&kernel);
	return rc;
}
