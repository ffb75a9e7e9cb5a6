/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel: a small text on a web server that says which version a fleet is to run. Many boxes look at it now and then.
 *
 *	TARN-CHANNEL 1
 *	version=2.1
 *	amd64=https://updates.example/tarn-2.1-amd64.update	one line an architecture
 *	share=25						percent of the boxes that take it now; 100 without
 *
 * Unknown lines are for later versions. It is not signed, and need not be: what it leads to is (update.h). Which boxes
 * are among the first is told by their identity and the version: the same ones until the share grows, others the next
 * time. No state, any thread.
 */
#ifndef FIRMWARE_BOOT_CHANNEL_H
#define FIRMWARE_BOOT_CHANNEL_H

#include <jansson.h>
#include <stdint.h>

#include "firmware/boot/slots.h"

#define CHANNEL_BYTES_MAX 4096
#define CHANNEL_URL_MAX	  1024
#define CHANNEL_PARTS	  10000 /* hundredths of a percent */

struct channel {
	char version[SLOT_VERSION];
	char url[CHANNEL_URL_MAX]; /* of this machine's architecture; "": it has none for it */
	unsigned share;		   /* of CHANNEL_PARTS */
};

/* -EINVAL: it is none, or says nothing that makes sense. */
MUST_USE int channel_parse(struct span text, const char *arch, struct channel *ret_channel);

/* This box's place among all for that version, 0 to CHANNEL_PARTS - 1. */
unsigned channel_place(const char *id, const char *version);

/* X(NAME, what is said) */
#define CHANNEL_VERDICTS(X)                                                                        \
	X(TAKE, "it is to be installed")                                                           \
	X(NOTHING_NEW, "the version that runs is as new")                                          \
	X(NOT_FOR_US, "it has nothing for this kind of machine")                                   \
	X(NOT_YET, "other boxes are first")                                                        \
	X(FAILED, "that version was tried here and did not become healthy")                        \
	X(WAITING, "that version is installed already, and waits for the restart")                 \
	X(ON_TRIAL, "this system is on trial itself")

enum channel_verdict {
#define X(name, text) CHANNEL_##name,
	CHANNEL_VERDICTS(X)
#undef X
};
const char *channel_verdict_text(enum channel_verdict verdict);

/*
 * Is it for this box? `machine` is what pid 1 says of it (screen.h); `attempt` the version that was installed and did
 * not come to its end yet, or "".
 */
enum channel_verdict channel_judge(const struct channel *channel, const json_t *machine,
				   const char *attempt, const char *id);

#endif
