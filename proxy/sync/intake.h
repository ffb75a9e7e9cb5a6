/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the workers' notes of answered requests become the demand table (cache/demand.h). The control loop's, but
 * for intake_note(), which each worker calls on its own thread.
 */
#ifndef TARN_PROXY_SYNC_INTAKE_H
#define TARN_PROXY_SYNC_INTAKE_H

#include "cache/demand.h"

struct heritage_station;
struct scope_who;
struct worker;
struct intake;

/* Reads the table of the last run. 0 or -ENOMEM. Before the workers start. */
MUST_USE int intake_new(struct worker *control, struct intake **ret_intake);
/* Writes what is left. After the workers have ended, before the writer does. */
void intake_free(struct intake **intake);
/* The control loop's configuration changed. */
void intake_reload(struct intake *intake);

/* What the keeper says of a device's frames. NULL intake: nothing. */
void intake_station(struct intake *intake, const struct heritage_station *station);
/* What is known of a device: as far as it is, into *who, whose addr is set. */
void intake_link(struct intake *intake, struct scope_who *who);

/* A worker's: some nanoseconds. NULL: nothing. */
void intake_note(struct intake *intake, struct worker *worker, const struct demand_event *event);

/* The table, with all that was noted until now. */
struct demand *intake_demand(struct intake *intake);

#endif
