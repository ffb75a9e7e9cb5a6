/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From settings to what the network has to look like.
 */
#ifndef FIRMWARE_KEEPER_PLAN_H
#define FIRMWARE_KEEPER_PLAN_H

#include "firmware/net/net.h"

struct tarn_settings;

/* Borrows the settings' texts. */
struct net_plan tarnd_net_plan(const struct tarn_settings *settings);

#endif
