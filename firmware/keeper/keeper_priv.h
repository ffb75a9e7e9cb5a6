/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keeper's files share: tarnd itself. keeper.c has the loop and the ladder, keeper_steer.c the programs in the
 * kernel and what is looked at to keep them true, keeper_status.c the document for tarnctl.
 */
#ifndef FIRMWARE_KEEPER_KEEPER_PRIV_H
#define FIRMWARE_KEEPER_KEEPER_PRIV_H

#include <jansson.h>

#include "firmware/keeper/arm.h"
#include "firmware/keeper/front.h"
#include "firmware/keeper/keeper.h"
#include "firmware/keeper/reload.h"
#include "firmware/keeper/silence.h"
#include "firmware/net/net.h"

struct tarnd {
	struct event_base *base;
	struct tarnd_config config;
	struct net_kernel *kernel;
	struct network *net;
	struct steer *steer;
	struct plane *plane;
	struct change *change;
	struct appliance *appliance;
	uint64_t access_ms; /* when who may use the page was written last */
	struct status *status;
	struct authority *authority;
	int admin_fd;
	char why_no_steering[HERITAGE_REASON];
	char broken[HERITAGE_REASON]; /* what stands in the way of intercepting; empty: nothing */
	struct silence silence;
	struct selftest *selftest;
	struct arm_verdict verdict;
	uint64_t step_since_ms;
	uint64_t vendors_refused;
	unsigned names_refused;
	struct front front;
	/* What a port's hardware may do behind our back; empty: nothing is known. */
	char offload[NET_OFFLOAD_MAX];
	int scope_error; /* why [scope] is not in force and nobody is intercepted */
	struct reload reload;
	bool stopping;
	bool anew; /* it stops so that another begins with the settings as they are then */
	struct event *anew_soon;
	struct event *tick, *roles, *sweep, *seen, *sigterm, *sigint, *sighup, *figures;
};

/* Opens and attaches the programs. 0, or -errno with the reason in why_no_steering: devices stay bridged. */
int keeper_steer_begin(struct tarnd *k);
/* New settings or profiles, in the programs that run. */
void keeper_steer_reload(struct tarnd *k, const struct tarn_settings *s);
/* What a kernel that obeys others, too, has done to our way: put right, or named in `broken`. */
void keeper_way_inspect(struct tarnd *k);
/* Which port is which, as heard by now. True: that changed. */
bool keeper_roles_update(struct tarnd *k);
/* What the ports' hardware may do behind our back. */
void keeper_offload_inspect(struct tarnd *k);

/* A status_document_f of a struct tarnd. */
json_t *keeper_status_document(void *arg);

#endif
