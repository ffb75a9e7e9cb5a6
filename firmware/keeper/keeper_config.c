/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration, whole or not at all.
 */
#include "firmware/keeper/keeper.h"

#include <stdio.h>

#include "firmware/base/profile.h"
#include "firmware/keeper/child.h"
#include "firmware/keeper/plan.h"

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
	if (config->settings.steer.mode == TARN_STEER_OFF)
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
