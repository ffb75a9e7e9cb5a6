/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appliance's systems, for the data plane's API: what there is (firmware/boot/appliance.h), and an update, a way back, a
 * restart or a reset, which are tarnctl's commands, run as children. Elsewhere than on an appliance it says that.
 */
#ifndef FIRMWARE_KEEPER_APPLIANCE_H
#define FIRMWARE_KEEPER_APPLIANCE_H

#include "firmware/heritage.h"

struct appliance;
struct event_base;

typedef void appliance_tell_f(const union heritage_message *message, void *arg);

/* `config` (NULL: the default), `socket` (tarn-proxy's) and `cache` ([cache] path) are for tarnctl; borrowed. 0 or -errno. */
__attribute__((warn_unused_result)) int appliance_new(struct event_base *base, const char *config,
						      const char *socket, const char *cache,
						      appliance_tell_f *tell, void *arg,
						      struct appliance **ret_appliance);
/* What runs goes on. */
void appliance_free(struct appliance **appliance);

/* Answers, now or when tarnctl has ended. */
void appliance_asked(struct appliance *appliance, const struct heritage_systems *ask);

#endif
