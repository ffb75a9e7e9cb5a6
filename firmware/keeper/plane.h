/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data plane as the keeper sees it: one process, started again when it dies, killed when it hangs.
 */
#ifndef FIRMWARE_KEEPER_PLANE_H
#define FIRMWARE_KEEPER_PLANE_H

#include <sys/types.h>

#include "firmware/heritage.h"
#include "firmware/keeper/child.h"

struct event_base;
struct plane;
struct steer;

#define PLANE_START_MS 60000 /* not ready after this time: it hangs */

struct plane_options {
	const char *program;
	const char *config; /* NULL: its default */
	const char *overrides[CHILD_OVERRIDES + 1];
	uid_t uid;
	gid_t gid;
	unsigned workers;
	uint64_t hang_ms;  /* a heartbeat older than this: kill */
	int admin_fd;	   /* listening socket of its admin API; borrowed */
	const char *state; /* the folder of keeper/access.h; borrowed */
	struct steer *
		steer; /* borrowed; NULL: the plain heritage, nothing of it is watched but its exit */
};

/* What happened; all in the loop. */
struct plane_calls {
	void (*changed)(void *arg); /* some of struct plane_state */
	void (*vendor)(const uint8_t addr[16], uint32_t ttl, void *arg);
	/* What is not for this room: settings; and READY, after it has been seen to. */
	void (*message)(const union heritage_message *message, void *arg);
	void (*ended)(void *arg); /* after plane_stop(): the process is gone */
	void (*mint)(const struct heritage_mint *ask, void *arg);
	void (*begins)(void *arg); /* a process is about to be started */
};

struct plane_state {
	pid_t pid; /* 0: none */
	bool ready;
	bool health_seen;
	bool reachable;
	char reason[HERITAGE_REASON];
	uint64_t health_at_ms;
	uint64_t started_at_ms;
	bool restarting;
	unsigned starts, restarts, hang_kills;
	char last_exit[64]; /* in words; empty: none yet */
};

__attribute__((warn_unused_result)) int plane_new(struct event_base *base,
						  const struct plane_options *options,
						  const struct plane_calls *calls, void *arg,
						  struct plane **ret_plane);
/* Kills what still runs. */
void plane_free(struct plane **plane);

void plane_start(struct plane *p);
/* Asks it to end: `ended` follows within HERITAGE_DRAIN_MS and a bit, at once if there is none. Called again: now. */
void plane_stop(struct plane *p);
/* Ends it, as plane_stop() does, and starts it again at once. `in_ms`: from now, so that it can say something before. */
void plane_restart(struct plane *p, unsigned in_ms);
/* Call often: kills what hangs. */
void plane_watch(struct plane *p);

const struct plane_state *plane_state(const struct plane *p);
/* Age in ms of the oldest heartbeat. UINT64_MAX: a worker does not beat. 0 without steering. */
uint64_t plane_beat_age(const struct plane *p);

void plane_tell(struct plane *p, const union heritage_message *message);
/* Passes a signal on. */
void plane_signal(struct plane *p, int signal);

#endif
