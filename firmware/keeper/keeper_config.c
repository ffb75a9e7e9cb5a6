/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration, whole or not at all.
 */
#include "firmware/keeper/keeper.h"

#include <stdio.h>

#include "firmware/base/profile.h"
#include "firmware/keeper/child.h"
#include "firmware/keeper/plan.h"

int keeper_config_load(const char *path, struct keeper_config *ret_config, char why[KEEPER_WHY_MAX])
{
	struct keeper_config config = { .path = path };
	struct settings_error error = { 0 };
	int rc = tarn_conf_load(path, &config.settings, &error);

	if (rc) {
		settings_error_text(&error, why, KEEPER_WHY_MAX);
		return rc;
	}
	rc = profiles_load(config.settings.vendors.dir, &config.profiles, &error);
	if (rc) {
		settings_error_text(&error, why, KEEPER_WHY_MAX);
		tarn_conf_free(&config.settings);
		return rc;
	}
	*ret_config = config;
	return 0;
}

void keeper_config_free(struct keeper_config *config)
{
	profiles_unref(&config->profiles);
	tarn_conf_free(&config->settings);
}

struct net_plan keeper_net_plan(const struct tarn_settings *settings)
{
	return (struct net_plan){
		.bridge_mode = settings->steer.mode == TARN_STEER_BRIDGE,
		.bridge = settings->steer.bridge,
		.lan = settings->steer.lan,
		.wan = settings->steer.wan,
	};
}

int keeper_config_check(const struct keeper_config *config, char why[KEEPER_WHY_MAX])
{
	struct net_plan plan = keeper_net_plan(&config->settings);
	struct net_kernel *kernel;
	uid_t uid;
	gid_t gid;
	int rc = child_identity(config->settings.keeper.user, &uid, &gid);

	if (rc) {
		snprintf(why, KEEPER_WHY_MAX, "[keeper] user: '%s' has root's rights",
			 config->settings.keeper.user);
		return rc;
	}
	if (config->settings.steer.mode == TARN_STEER_OFF)
		return 0;
	rc = net_kernel_open(&kernel);
	if (rc) {
		snprintf(why, KEEPER_WHY_MAX, "netlink: %s", strerror(-rc));
		return rc;
	}
	rc = net_check(kernel, &plan, why);
	kernel->ops->close(&kernel);
	return rc;
}
