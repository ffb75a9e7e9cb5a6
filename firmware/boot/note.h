/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes in /run: small files that the appliance's programs leave for each other. Whoever reads one sees the old text or
 * the new, never half of one; none of them outlives the machine's restart. No state, any thread.
 */
#ifndef FIRMWARE_BOOT_NOTE_H
#define FIRMWARE_BOOT_NOTE_H

#include "firmware/base/span.h"

#define NOTE_FOLDER "/run/tarn"

/* Everybody may read it. 0 or -errno. */
MUST_USE int note_put(const char *path, struct span text);

#endif
