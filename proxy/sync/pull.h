/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object fetched ahead, through the same flights as devices' requests: what a device asks for meanwhile is not
 * fetched twice. What the vendor has in place of the stored object goes to its staged key (cache/manifest.h); what
 * nobody has yet goes to its plain one; what is still the vendor's is confirmed for the generation and stays.
 *
 * The control loop starts it and gets the answer; the work is done on one of the workers.
 */
#ifndef TARN_PROXY_SYNC_PULL_H
#define TARN_PROXY_SYNC_PULL_H

#include "cache/object.h"
#include "firmware/index/index.h"

struct pull;
struct worker;

/* What the index says of it. */
struct pull_expect {
	bool known;
	uint64_t size; /* or INDEX_SIZE_UNKNOWN */
	enum index_digest kind;
	uint8_t digest[INDEX_DIGEST_MAX];
	size_t digest_n;
};

/* Everything is copied. */
struct pull_ask {
	struct span key;     /* plain; a variant's has its lines */
	struct span host;    /* "name" or "name:port" */
	struct span target;  /* origin-form, as it goes out */
	struct span headers; /* "Name: value\r\n"..., as they go out */
	uint64_t generation;
	uint64_t rate; /* bytes a second, 0: no limit */
	bool index;
	struct pull_expect expect;
};

/* X(NAME, "name", what it means) */
#define PULL_OUTCOMES(X)                                                                           \
	X(UNCHANGED, "unchanged", "what is stored is what the vendor has, or the index names")     \
	X(STAGED, "staged", "the vendor has another one: it stands under the staged key")          \
	X(FRESH, "fresh", "nothing was stored: now it is, under the plain key")                    \
	X(GONE, "gone", "the vendor has no such object (404, 410)")                                \
	X(MISMATCH, "mismatch", "it is not what the index names: dropped")                         \
	X(FAILED, "failed", "it could not be fetched or stored")                                   \
	X(CANCELLED, "cancelled", "it was not wanted any more")

enum pull_outcome {
#define X(name, text, help) PULL_##name,
	PULL_OUTCOMES(X)
#undef X
};

const char *pull_outcome_name(enum pull_outcome outcome);

struct pull_result {
	enum pull_outcome outcome;
	struct span key;    /* plain, of the record that there is now; dies with the call */
	uint64_t id;	    /* of it */
	uint64_t marker_id; /* STAGED: of the staged marker before it (a Vary), or 0 */
	int64_t size;
	unsigned status; /* of the vendor's answer; 0: there was none */
	int error;	 /* FAILED: -errno */
	bool asked;	 /* the vendor was asked */
};

/* On the control loop. The pull is freed after it. `sent`: what went out, "" if nothing did. */
typedef void pull_done_f(void *arg, const struct pull_result *result, const char *sent);

/* 0, -ENOMEM, -EINVAL (no such profile, host or path any more). */
MUST_USE int pull_start(struct worker *control, struct worker *worker, const struct pull_ask *ask,
			pull_done_f *done, void *arg, struct pull **ret_pull);
/* Not wanted any more: done comes soon. */
void pull_cancel(struct pull *pull);
/* The worker's thread has ended: frees it, done does not come. */
void pull_drop(struct pull **pull);
/* Bytes that have come so far. */
uint64_t pull_bytes(const struct pull *pull);

#endif
