/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seed: what an owner gives a box before it is ever reached. A folder `tarn` in the ESP (written to the disk
 * before it is built in), or on a USB stick with a FAT file system labelled TARN-SEED, put in at any time:
 *
 *	tarn/tarn.conf		settings; refused if tarnd would refuse them
 *	tarn/vendors/N.conf	profiles; the same
 *	tarn/authorized_keys	switches SSH on, for root, with these keys
 *	tarn/ca.pem		key and certificate of the CA, in place of one made here
 *	tarn/password		the admin page's password, as `tarnctl admin hash` prints it; none is made then
 *	tarn/N.update		a system; only from a stick, only if newer
 *	tarn/factory-reset	only from a stick: state and cache are made anew, once for this stick's file system
 *
 * A medium is read once: its digest is kept, and the same content is passed over the next time. What became of each
 * file is said on the console (TARN seed ...) and in the log; of all, in the history.
 */
#ifndef FIRMWARE_BOOT_SEED_H
#define FIRMWARE_BOOT_SEED_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/check.h"

#define SEED_LABEL "TARN-SEED"
/* The password that a seed brought, until tarn-proxy has it. */
#define SEED_PASSWORD "/state/boot/password"

struct disk;

enum seed_wants {
	SEED_NOTHING, /* nothing new */
	SEED_RELOAD,  /* settings have changed */
	SEED_RESTART, /* a system was installed */
	SEED_RESET,   /* the note for it is written: start again */
};

/* The ESP's folder, before tarnd is started. */
enum seed_wants seed_esp(const struct disk *disk, int64_t wall_ms);

/* A stick, if one is there. `running` and `factory`: versions. Mounts it read-only, for a moment. */
enum seed_wants seed_stick(const struct disk *disk, const char *running, const char *factory,
			   int64_t wall_ms);

/* Is state to be made anew? Called with it mounted; the note's text, to be put into the new one. */
bool reset_wanted(char ret_by[32]);
/* Notes that it is, by `by` (a stick's serial, or "console"). 0 or -errno. */
MUST_USE int reset_note(const char *by);
/* In the new one: who asked. */
void reset_done(const char *by, int64_t wall_ms);

#endif
