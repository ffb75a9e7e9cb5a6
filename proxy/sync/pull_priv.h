/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rooms of a pull share: pull.c (its course, from mail to mail), pull_check.c (what there is in the store, and
 * whether it is what the index names).
 */
#ifndef TARN_PROXY_SYNC_PULL_PRIV_H
#define TARN_PROXY_SYNC_PULL_PRIV_H

#include <event2/event_struct.h>
#include <openssl/evp.h>

#include "cache/flight.h"
#include "firmware/base/profile.h"
#include "proxy/loop.h"
#include "proxy/policy/policy.h"
#include "proxy/sync/pull.h"

#define PULL_SENT_MAX 4096

enum step {
	STEP_BEGIN,
	STEP_FLIGHT,
	STEP_SETTLE,
	STEP_CHECK,
	STEP_END
};

struct pull {
	struct worker *control, *worker;
	struct mail mail, back; /* to the worker, to the control loop */
	struct mail cancel, cancel_back;
	bool is_back, cancel_sent, cancel_is_back; /* the control loop's */
	struct event turn;			   /* the next chunk of a check */
	pull_done_f *done;
	void *arg;
	struct config *config;
	_Atomic uint64_t bytes;

	/* what was asked */
	const struct profile *profile;
	struct profile_match match;
	bool secure;
	uint16_t port;
	char *key, *target, *head_text;
	struct http_head *head;
	struct policy_req policy;
	uint64_t generation, rate;
	bool index;
	struct pull_expect expect;

	/* how far it is */
	enum step step;
	unsigned tries;
	struct flight_reader seat;
	struct fetch *fetch;
	struct stored *base; /* what is asked about, or NULL */
	bool base_staged;
	uint64_t pos;
	struct stored *found; /* what there is in the end */
	uint32_t chunk;	      /* of it: the next to check */
	EVP_MD_CTX *digest;
	bool direct;	/* past the parents: one had what the index does not name */
	bool for_plain; /* the check may end without asking the vendor */
	struct pull_result result;
	char *result_key;
	char sent[PULL_SENT_MAX];
};

/* ---- pull.c: each may end it */
void pull_finish(struct pull *p, enum pull_outcome outcome, int error);
/* From the store again: is something there, and is it right? Else the vendor is asked. */
void pull_look(struct pull *p);
void pull_fetch(struct pull *p);

/* ---- pull_check.c */
/* The part of a variant's key that all its variants share. */
struct span pull_primary(struct span key);
/* `buf` has CACHE_KEY_TEXT_MAX bytes. */
struct cache_key pull_staged_key(struct span plain, char *buf);
/* A response; -ENOENT: there is none, or a marker. */
MUST_USE int pull_peek(const struct pull *p, struct span text, struct stored **ret_stored);
/* Of the marker under a primary key: its id, 0 if there is none; and its names. */
uint64_t pull_marker(const struct pull *p, struct span key, char names[POLICY_VARY_MAX]);
/* The kind of digest that the index names; NULL: none. */
const char *pull_digest(const struct pull *p);
bool pull_size_is_right(const struct pull *p, const struct object *object);
/* What there is, `found`, against what the index names; then it ends, or the vendor is asked. */
void pull_check(struct pull *p);
/* Of `turn`. */
void pull_check_turn(evutil_socket_t fd, short what, void *arg);

#endif
