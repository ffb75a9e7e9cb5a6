/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went through encrypted and uncached, by the vendor's host: so that the administrator sees what HTTPS costs.
 * Any thread; bounded, however many names devices make up.
 */
#ifndef TARN_PROXY_TLS_TALLY_H
#define TARN_PROXY_TLS_TALLY_H

#include "firmware/base/profile.h"

#define TALLY_HOSTS 256

struct tally;
struct tally_row; /* a host's */

/* 0 or -ENOMEM. */
MUST_USE int tally_new(struct tally **ret_tally);
void tally_free(struct tally **tally);

/*
 * A connection to match->host begins. When the table is full the host with the fewest bytes that has no connection
 * open gives way, and its numbers go to a row of all others, which also serves when none can give way.
 */
struct tally_row *tally_open(struct tally *tally, const struct profile_match *match);
void tally_bytes(struct tally_row *row, uint64_t up, uint64_t down);
/* Nulls it. NULL is nothing. */
void tally_close(struct tally *tally, struct tally_row **row);

/* The host of a row that is open: "" if it is one of all others. Alive until it is closed. */
const char *tally_host(const struct tally_row *row);

/* A connection to match->host was refused. */
void tally_refused(struct tally *tally, const struct profile_match *match);

struct tally_view {
	char host[PROFILE_HOST_MAX]; /* "": all others, or in tally_top()'s sum, all */
	uint64_t connections, open, refused;
	uint64_t bytes_up, bytes_down;
};

/* The `n` hosts that most bytes came from, most first, and the sum over all. How many were filled. */
size_t tally_top(struct tally *tally, struct tally_view *views, size_t n,
		 struct tally_view *ret_sum);

#endif
