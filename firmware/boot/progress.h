/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far an update has come, for those who watch it from elsewhere: a note (note.h) that tarnctl update writes, whoever
 * has started it. And who changes the appliance's systems: one at a time, which a lock tells. `folder` is NOTE_FOLDER
 * unless a test says otherwise. No state, any thread.
 */
#ifndef FIRMWARE_BOOT_PROGRESS_H
#define FIRMWARE_BOOT_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "firmware/boot/slots.h"

#define PROGRESS_TEXT 400

/* X(NAME, word, whether somebody works on it) */
#define PROGRESS_STATES(X)                                                                         \
	X(IDLE, "idle", false)                                                                     \
	X(FETCHING, "fetching", true)                                                              \
	X(CHECKING, "checking", true)                                                              \
	X(WRITING, "writing", true)                                                                \
	X(INSTALLED, "installed", false)                                                           \
	X(REFUSED, "refused", false)

enum progress_state {
#define X(name, word, busy) PROGRESS_##name,
	PROGRESS_STATES(X)
#undef X
};

struct progress {
	enum progress_state state;
	uint64_t done, total; /* bytes; 0: not known */
	char version[SLOT_VERSION];
	char text[PROGRESS_TEXT]; /* why it was refused */
};

/* From now on, until the descriptor is closed or the process ends, nobody else changes anything. -EBUSY: somebody does. */
MUST_USE int progress_claim(const char *folder);
/* Does somebody? */
bool progress_claimed(const char *folder);

/* 0 or -errno. */
MUST_USE int progress_put(const char *folder, const struct progress *progress);

/*
 * {"state", "done", "total", "version", "text"}: of the last update since the machine started, or "idle". One whose
 * tarnctl was killed is refused. NULL: no memory.
 */
json_t *progress_json(const char *folder);

#endif
