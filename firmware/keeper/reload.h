/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the last reload, for the status document: `tarnctl config reload` waits for it.
 */
#ifndef TARN_FIRMWARE_KEEPER_RELOAD_H
#define TARN_FIRMWARE_KEEPER_RELOAD_H

#include <jansson.h>
#include <stdint.h>

#include "firmware/base/tarn_conf.h"
#include "firmware/keeper/keeper.h"

struct reload {
	unsigned times; /* that a reload was asked for */
	uint64_t at_ms; /* since 1970 */
	bool taken;
	char why[TARND_WHY_MAX]; /* it was refused; the old configuration stays */
	bool of_tarnd;		 /* among them some that tarnd itself takes over when it starts */
	char next_start
		[512]; /* settings that changed but wait for the next start: "steer.mode cache.size" */
};

/* One more is asked for; neither taken nor refused yet. */
void reload_begin(struct reload *reload, uint64_t wall_ms);

/* Notes what `fresh` changes against `running` that only a start takes over. */
void reload_compare(struct reload *reload, const struct tarn_settings *running,
		    const struct tarn_settings *fresh);

/* {times, at (ms since 1970), taken, why, next_start [names]}; NULL: no memory. */
json_t *reload_json(const struct reload *reload);

#endif
