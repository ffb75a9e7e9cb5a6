/* SPDX-License-Identifier: Apache-2.0 */
/* What became of an export or import is told to tarn-proxy, for its log and the box's events. */
#ifndef FIRMWARE_CTL_CARRIED_H
#define FIRMWARE_CTL_CARRIED_H

#include "firmware/carry/asker.h"

struct ctl_carried {
	const char *way; /* "export", "import" */
	const char *profile;
	const char *dir; /* as it was given */
	const char *why; /* it failed for this; NULL: it did not */
	uint64_t generation, objects, bytes;
	uint64_t moved;	  /* bytes that were written, or read */
	uint64_t missing; /* objects that are in the generation, but not in the store */
};

/* If that can't be told, nothing is said: what is wrong with the proxy has been. */
void ctl_carried_tell(struct asker *asker, const struct ctl_carried *carried);

#endif
