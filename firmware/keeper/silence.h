/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steered connections that come to nothing without a word: a firewall's rule drops them between the steering program and
 * our stack, or what we answer is lost between the intercept device and the devices (a filter, a queue, an offload of the
 * port). Devices would wait in vain, so steering has to end, and be tried again later. What the selftest can't see, as
 * its frames are on no cable, is seen here by what devices do.
 *
 * Whoever sends SYNs by addresses of nobody looks the same, on a line where no device speaks meanwhile: devices then go
 * straight for as long. So that time is short, and one who wants it so has to go on and on.
 */
#ifndef FIRMWARE_KEEPER_SILENCE_H
#define FIRMWARE_KEEPER_SILENCE_H

#include <stdint.h>

#define SILENCE_SYNS	   3	/* so many steered within a window, and not one came to more */
#define SILENCE_GRACE_MS   1000 /* what a device has to answer in once so many are there */
#define SILENCE_TRY_MS	   10000
#define SILENCE_TRY_MAX_MS 60000 /* twice as long after each try that fails */

enum silence_kind {
	SILENCE_NONE,
	SILENCE_LOST,	/* what is steered does not reach a listener */
	SILENCE_UNHEARD /* devices get no answer, though one was sent */
};

/* The counters by now. */
struct silence_counts {
	uint64_t steered; /* SYNs; those that are sent again, too */
	uint64_t arrived; /* at a listener, or where one should have been; the selftest's, too */
	uint64_t sent;	  /* packets to devices */
	uint64_t heard;	  /* from devices, after their SYN */
};

/* Zeroed memory is a new one. */
struct silence {
	struct silence_counts arrival; /* when one last arrived */
	struct silence_counts hearing; /* when one was last heard of */
	uint64_t unheard_ms;	       /* since when enough of them are not heard; 0: they are */
	uint64_t until_ms;	       /* not steering until then; 0: it is well */
	uint64_t wait_ms;
	enum silence_kind kind; /* until then */
};

/* CLOCK_MONOTONIC in ms; about once a second. What is it that has to be let be? */
enum silence_kind silence_see(struct silence *silence, const struct silence_counts *now,
			      uint64_t now_ms);

#endif
