/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents: caches between this box and the vendors ([parent]), which of them is well, and which way a request takes. One
 * table for all threads, under a lock that is held for a look at it only. It has no sockets: parent_check.h asks the
 * parents themselves, fetches say what became of their requests.
 *
 * Not asked are, for a while: a parent that failed (longer each time it fails again), one that does not answer at all, one
 * that leads back here (508, or our own name in Via), and one that has us for its parent, too: of two that are each
 * other's parent, the one whose name in Via is lower goes straight.
 */
#ifndef TARN_PROXY_UPSTREAM_PARENT_H
#define TARN_PROXY_UPSTREAM_PARENT_H

#include "firmware/base/origin.h"
#include "firmware/base/tarn_conf.h"
#include "proxy/http/head.h"
#include "proxy/pseudonym.h"

struct parents;

#define PARENTS_MAX	    8
#define PARENT_REST_MIN_MS  2000
#define PARENT_REST_MAX_MS  120000
#define PARENT_LOOP_REST_MS 300000

/* A way to a vendor. All zero: straight. A copy stays true whatever becomes of the settings. */
struct parent_way {
	unsigned id;	  /* of the parent; 0: straight to the vendor */
	struct origin at; /* the parent */
	bool proxy; /* asked as a proxy: absolute form, CONNECT for https; else as if it were the vendor */
	bool tarn; /* it is another Tarn, which has no index that is older than its objects */
};

/* X(NAME, "name", what it means) */
#define PARENT_STATES(X)                                                                           \
	X(GOOD, "good", "asked first")                                                             \
	X(RESTING, "resting", "failed; asked again when its rest is over")                         \
	X(DOWN, "down", "does not answer; asked again when it does")                               \
	X(LOOP, "loop", "leads back here")                                                         \
	X(MUTUAL, "mutual", "has this box for its parent, and stays it; this one goes straight")

enum parent_state {
#define X(name, text, help) PARENT_##name,
	PARENT_STATES(X)
#undef X
};

const char *parent_state_name(enum parent_state state);

/* 0 or -ENOMEM. */
MUST_USE int parents_new(const struct tarn_settings *settings, struct parents **ret_parents);
void parents_free(struct parents **parents);
/* The settings changed: parents that stay keep their state. */
void parents_set(struct parents *parents, const struct tarn_settings *settings);

/*
 * The next way for a request to this vendor (NULL: to a host of none) by http, or by https if `secure`; `tried`: what was
 * tried, 0 at first, parent_tried() adds. True: *ret_way is it, a parent or straight. False: there is none left.
 */
MUST_USE bool parents_next(struct parents *parents, const char *vendor, bool secure, unsigned tried,
			   uint64_t mono_ms, struct parent_way *ret_way);

unsigned parent_tried(unsigned tried, unsigned id);

/*
 * The first way of a request now, for explaining it: nothing is counted. False: there are no parents at all. *ret_bypassed:
 * straight because none of them is well.
 */
MUST_USE bool parents_peek(struct parents *parents, const char *vendor, bool secure,
			   uint64_t mono_ms, struct parent_way *ret_way, bool *ret_bypassed);

/* A request to it was not done; `why` for people, a constant. A loop rests for longer. */
void parents_failed(struct parents *parents, unsigned id, const char *why, bool loop,
		    uint64_t mono_ms);
void parents_good(struct parents *parents, unsigned id);

/*
 * A request came with Via: if a parent of ours is among those it passed, they are a ring with us. In each ring the box whose
 * name comes first goes straight from then on, and no other: were two to do so, the vendor would be asked twice. `ours` is
 * our name.
 */
void parents_heard(struct parents *parents, const struct http_head *request, const char *ours,
		   uint64_t mono_ms);
/* The parents that this request came by, as parent_tried(): they would only say that it has been there before. */
unsigned parents_passed(struct parents *parents, const struct http_head *request);

/* Is there a parent for this vendor's http that was checked, and is well? */
bool parents_reach(struct parents *parents, const char *vendor, uint64_t mono_ms);

/* ---- for parent_check.c, and what admin shows -------------------------------------------------------- */

struct parent_view {
	struct parent_way way;
	enum parent_state state;
	const char *why;	       /* of the last failure; "" */
	char pseudonym[PSEUDONYM_MAX]; /* another Tarn's; "" */
	unsigned failures;	       /* in a row */
	uint64_t rests_ms;
	uint64_t requests;
};

size_t parents_count(struct parents *parents);
/* The i-th; false: there is none. */
bool parents_at(struct parents *parents, size_t i, uint64_t mono_ms, struct parent_view *ret_view);

/*
 * What came of asking a parent itself: `why` NULL: it is there, and `pseudonym` is another Tarn's name or "". True: it
 * is well now and was not, or the other way round.
 */
bool parents_checked(struct parents *parents, unsigned id, const char *why, bool loop,
		     const char *pseudonym, uint64_t mono_ms);

/* The last name in Via, if it is a Tarn's; else "". */
void parent_pseudonym(const struct http_head *head, char ret_text[PSEUDONYM_MAX]);

#endif
