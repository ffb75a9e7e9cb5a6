/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When may connections be intercepted? A function of facts, without any memory of its own.
 *
 *	                 spawn                 READY               first HEALTH: all well
 *	      IDLE ───────────► STARTING ───────────► WARMING ─────────────────► ARMED
 *	       ▲                    │ died               │ died        all well ▲   │ not reachable,
 *	       │ nothing to start   ▼                    ▼                      │   ▼ beats stale
 *	       └────────────── BACKING_OFF ◄──────────────────── died ────── UNHEALTHY
 *	                            └─ delay over: spawn               any ── stop ──► STOPPING
 *
 * arm_decide() draws every arrow: it names the step that the facts mean.
 */
#ifndef FIRMWARE_KEEPER_ARM_H
#define FIRMWARE_KEEPER_ARM_H

#include "firmware/heritage.h"

/* X(NAME, name in logs and status, what it means) */
#define ARM_STEPS(X)                                                                               \
	X(IDLE, "idle", "there is nothing to start")                                               \
	X(STARTING, "starting", "the data plane was started and is not ready")                     \
	X(WARMING, "warming", "the data plane is ready and has not yet said how it is")            \
	X(ARMED, "armed", "new connections to vendors are intercepted")                            \
	X(UNHEALTHY, "unhealthy", "the data plane runs, but connections had better pass")          \
	X(BACKING_OFF, "backing-off", "the data plane died and is started again soon")             \
	X(STOPPING, "stopping", "we were asked to end")

enum arm_step {
#define X(name, text, what) ARM_##name,
	ARM_STEPS(X)
#undef X
};

struct arm_facts {
	bool stopping;
	bool steering;	    /* the network and the BPF programs are in place */
	bool roles_known;   /* of all ports */
	bool running;	    /* the data plane has a pid */
	bool ready;	    /* ... and said READY */
	bool health_seen;   /* ... and HEALTH */
	bool reachable;	    /* what HEALTH said */
	bool restarting;    /* no pid, but there will be one */
	uint64_t health_ms; /* age of the last HEALTH */
	uint64_t
		beat_ms; /* age of the oldest heartbeat of a worker; UINT64_MAX: one stands still on purpose */
	const char *
		broken; /* NULL; what stands in the way of intercepting, though all parts are there */
	const char *reason; /* with reachable == false: why; with steering == false: why */
};

struct arm_verdict {
	enum arm_step step;
	char why_not[HERITAGE_REASON]; /* empty when armed */
};

struct arm_verdict arm_decide(const struct arm_facts *facts);
const char *arm_step_name(enum arm_step step);

#endif
