/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that always runs: started again when it ends, the later the sooner it ended. One thread.
 */
#ifndef FIRMWARE_BOOT_SERVICE_H
#define FIRMWARE_BOOT_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "firmware/boot/run.h"

struct service {
	const char *name;
	const char *const *argv;
	run_prepare_f *prepare; /* or NULL; instead of argv */
	const char *tty;	/* or NULL */
	bool ends_its_own;	/* what it has started: a signal is for it alone */
	/* the rest is service.c's */
	bool wanted;
	bool asked;	  /* to end: nobody has to hear of it */
	bool dropped;	  /* it was told to end, and has not yet */
	uint64_t kill_ms; /* then; 0: not known yet */
	pid_t pid;
	unsigned starts, quick; /* quick: ends in a row, each soon after its start */
	int last_status;	/* exit status, 128 + signal, or -errno; -1 before the first end */
	uint64_t started_ms, next_ms;
};

void service_want(struct service *s, uint64_t now_ms);

/* Ends it, with what it has started, if it runs, by force if need be; it does not start again unless it is wanted again. */
void service_drop(struct service *s);

/* Starts what is wanted and due. Call often. */
void service_see_to(struct service *s, uint64_t now_ms);

/* A child ended: was it this one? */
bool service_ended(struct service *s, pid_t pid, int wait_status, uint64_t now_ms);

/* Sends a signal, if it runs. After SIGTERM or SIGKILL it starts again, unless it is not wanted any more. */
void service_signal(struct service *s, int number);

#endif
