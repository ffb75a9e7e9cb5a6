/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which DNS path reaches a vendor: the decisions of reach.c alone, without sockets or clock.
 * Path 0 is the system's resolvers, path 1 .. n the profile's public ones in their order.
 */
#ifndef TARN_PROXY_DNS_MACHINE_H
#define TARN_PROXY_DNS_MACHINE_H

#include "firmware/base/check.h"

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, "name", what it means) */
#define MACHINE_STEPS(X)                                                                           \
	X(START, "start", "no verdict yet; the system's resolvers are used")                       \
	X(SYSTEM, "system", "reachable through the system's resolvers")                            \
	X(SEARCH, "search", "the path in use has failed; trying the public resolvers in order")    \
	X(PUBLIC, "public", "reachable through a public resolver")                                 \
	X(LOST, "lost", "no path reaches the vendor; all are tried over and over")

enum machine_step {
#define X(name, text, help) MACHINE_##name,
	MACHINE_STEPS(X)
#undef X
};

const char *machine_step_name(enum machine_step step);

struct machine_rules {
	unsigned publics;     /* how many public resolvers may be used */
	unsigned fail, good;  /* verdicts in a row that count */
	uint64_t interval_ms; /* between probes of a path while all is well */
	uint64_t fast_ms;     /* while something is not */
};

struct machine {
	struct machine_rules rules;
	enum machine_step step;
	unsigned path;	/* in use: 0, or the public one; in SEARCH: tried now */
	unsigned first; /* SEARCH began with this one */
	unsigned system_bad, system_good, public_bad;
	uint64_t since_ms;		       /* when `step` was entered */
	uint64_t system_due_ms, public_due_ms; /* when to probe next; UINT64_MAX: not */
};

/* All paths are due at once. */
void machine_init(struct machine *machine, const struct machine_rules *rules, uint64_t mono_ms);

/* New rules: keeps the step where it still makes sense, else begins anew. No probe is under way; all are due. */
void machine_rules_set(struct machine *machine, const struct machine_rules *rules,
		       uint64_t mono_ms);

/* Which of the two kinds of probe is due: the system's path, and the public path *ret_public (0: none)? */
void machine_due(const struct machine *machine, uint64_t mono_ms, bool *ret_system,
		 unsigned *ret_public);
/* When something becomes due; UINT64_MAX: never. A probe under way is not due again until its verdict. */
uint64_t machine_next_ms(const struct machine *machine);

/* A probe of `path` has begun / has ended. A verdict on a path that matters no more is ignored. */
void machine_began(struct machine *machine, unsigned path);
void machine_verdict(struct machine *machine, unsigned path, bool good, uint64_t mono_ms);

/* A request has failed: look now, if it has not been looked within the fast interval. */
void machine_hurry(struct machine *machine, uint64_t mono_ms);

bool machine_reachable(const struct machine *machine);
/* The path that requests should use: 0 or a public one. */
unsigned machine_path(const struct machine *machine);

#endif
