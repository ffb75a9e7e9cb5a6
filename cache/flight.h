/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flights: one fetch, many readers, on any thread. No sockets here: a producer (proxy/upstream/fetch)
 * fills buffers that the flight hands out, readers (requests) take spans out of them, and the store
 * gets whole chunks as they fill up.
 *
 * Threads: a flight's producer functions belong to the thread that called flight_produce(), a
 * reader's functions to the thread that joined. Wake-ups may be called on any thread, with locks of
 * the flight held: they may post a mail and nothing else. A wake-up says "look again", never more.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <sys/queue.h>

#include "cache/writer.h"

struct flights;
struct flight;

/* X(NAME, "name", what it means) */
#define FLIGHT_STATES(X)                                                                           \
	X(NEW, "new", "asked for, no head yet")                                                    \
	X(BODY, "body", "the head is known, bytes arrive")                                         \
	X(DONE, "done", "all bytes are here; their commit may be under way")                       \
	X(FAILED, "failed", "no more bytes will come; what came may be read")                      \
	X(REDO, "redo", "nothing to share: each reader looks up and asks again")

enum flight_state {
#define X(name, text, help) FLIGHT_##name,
	FLIGHT_STATES(X)
#undef X
};

const char *flight_state_name(enum flight_state state);

/* What the producer says of its response. */
enum flight_verdict {
	FLIGHT_STORE,	  /* to be stored; every reader may have it */
	FLIGHT_SHARE,	  /* not to be stored, but all who wait may have it (an error, say) */
	FLIGHT_LEADER,	  /* for the request that began the flight alone: the others get REDO */
	FLIGHT_REFRESHED, /* the stored object was confirmed (304): flight_object() is its new
			   * record, there is no body; readers read the store */
};

/* How a request came to its flight. */
enum flight_role {
	FLIGHT_ROLE_LEADER, /* this flight is new: look up the store once more, then start a fetch */
	FLIGHT_ROLE_FOLLOWER, /* another request's fetch will serve */
	FLIGHT_ROLE_ALONE,    /* a new flight that nobody else can join: start a fetch */
};

struct flight_limits {
	uint32_t window;   /* chunks that a flight may hold in memory, at least 2 */
	uint32_t chunks;   /* chunks of all flights together */
	uint64_t reach;	   /* bytes: how far ahead of what is published a reader may wait */
	uint64_t finish;   /* bytes: so little left is fetched even if nobody waits any more */
	uint32_t alone_ms; /* how long a key is not collapsed after FLIGHT_LEADER */
	uint32_t lag_ms;   /* how long a reader may hold up others if the store can't relieve it */
};

#define FLIGHT_LIMITS_DEFAULT                                                                      \
	((struct flight_limits){ .window = CONFIG_FLIGHT_WINDOW_CHUNKS,                            \
				 .chunks = 1024,                                                   \
				 .reach = 8 << 20,                                                 \
				 .finish = 4 << 20,                                                \
				 .alone_ms = 60000,                                                \
				 .lag_ms = 10000 })

/* `store` and `writer` may be NULL: then nothing is ever stored. 0 or -ENOMEM. */
MUST_USE int flights_new(struct store *store, struct writer *writer,
			 const struct flight_limits *limits, struct flights **ret_flights);
/* No flight may be left: writer stopped, all seats given up, all producers ended. */
void flights_free(struct flights **flights);

/* How many there are now, those that only wait for the writer included. Any thread. */
unsigned flights_count(const struct flights *flights);
/* Memory that no flight needed since the last call goes back to the kernel: chunk_pool_trim(). Any thread. */
void flights_trim(struct flights *flights);

/* ---- readers --------------------------------------------------------------------------------- */

/* A request's seat, embedded in it. The owner sets `wake`, zeroes the rest and leaves it alone. */
struct flight_reader {
	void (*wake)(struct flight_reader *reader);
	/* private to flight.c, guarded by the flight's lock */
	struct flight *flight;
	TAILQ_ENTRY(flight_reader) link;
	uint64_t pos; /* bytes before it are not needed any more */
	bool waiting; /* wants a wake-up */
	bool leader;
	bool cut;	    /* lagged; gets no more */
	uint64_t lag_since; /* mono_ms; 0: does not hold the flight up */
};

/* Bytes [from, to) of the object; to is UINT64_MAX for "to the end". */
struct flight_want {
	uint64_t from;
	uint64_t to;
	bool anew; /* not of what has a head already: that has to be validated, or is to be replaced */
	bool partly; /* from a flight that has the first of them at least; a new one ends where another begins */
};

/*
 * Takes a seat in the flight of `key` that covers `want`, or in a new one. The flight leaves the table
 * only when what it stored is committed, so a LEADER that looks the store up again and then finds
 * nothing may be sure that nobody fetches or has just fetched the same. 0 or -ENOMEM.
 */
MUST_USE int flight_join(struct flights *flights, const struct cache_key *key,
			 struct flight_want want, struct now now, struct flight_reader *reader,
			 enum flight_role *ret_role);

/* Takes a seat in the flight of `key` that covers `want`, if there is one. */
MUST_USE bool flight_follow(struct flights *flights, const struct cache_key *key,
			    struct flight_want want, struct flight_reader *reader);

/*
 * For who wants a part of what is not stored: takes a seat in the flight of another part, if that one is about to put
 * the record that all parts belong to. flight_part_there() says when to look the store up again.
 */
MUST_USE bool flight_follow_part(struct flights *flights, const struct cache_key *key,
				 struct flight_reader *reader);
/* Has the store that record, or will it not come? Else the reader is woken. */
MUST_USE bool flight_part_there(struct flight_reader *reader);

/* What this flight fetches: of a `partly` want its beginning. */
struct flight_want flight_range(const struct flight *flight);
/* Where what it brings begins, now that it has a head: 0 if the whole came though a part was asked for. */
uint64_t flight_first(const struct flight_reader *reader);

/*
 * Takes a seat in the flight whose response of `key` is newer than what the store shows: it is whole, or
 * confirms what is stored (REFRESHED), and its commit is under way. Look here before the store; where there is none,
 * which is nearly always, it costs one read of a counter.
 */
MUST_USE bool flight_see(struct flights *flights, const struct cache_key *key,
			 struct flight_reader *reader);

/*
 * What is being fetched under `key` is worthless: nobody joins it any more, and it is not stored. Its readers keep
 * their seats. What the writer has already is for writer_remove(), after this.
 */
void flights_forget(struct flights *flights, const struct cache_key *key);

/*
 * Takes a seat in the flight under `key` that brings the very object `id`, from its first byte on: for who was told
 * by another flight that it may have that one.
 */
MUST_USE bool flight_find(struct flights *flights, const struct cache_key *key, uint64_t id,
			  struct flight_reader *reader);

/* A seat in a new flight that is in no table: for what is never collapsed or stored. 0 or -ENOMEM. */
MUST_USE int flight_alone(struct flights *flights, struct flight_reader *reader);

/*
 * A new flight of `key` without a reader, for refreshing in the background. 0 with *ret_flight, a
 * reference (flight_unref), or -EALREADY (one is under way), -ENOMEM.
 */
MUST_USE int flight_begin(struct flights *flights, const struct cache_key *key,
			  struct flight_want want, struct now now, struct flight **ret_flight);

/* The state now. If it is NEW the reader will be woken when that changes. */
enum flight_state flight_look(struct flight_reader *reader);

/*
 * Will nothing of this flight change in the store any more? If it will, the reader is woken when it has: for
 * a request that may not use this response and wants to look the store up again. The writer is hurried.
 */
bool flight_settled(struct flight_reader *reader);

/* Has it all that its head promised? Then it is settled soon. */
bool flight_is_whole(const struct flight_reader *reader);

/* Is it all here, and has the writer taken it? What fails then is the disk. */
bool flight_is_stored(const struct flight_reader *reader);

/* Why it FAILED: -errno as given to flight_end(). */
int flight_error(const struct flight_reader *reader);

/*
 * The response's record: status, header block, times, length. NULL before the head is known, fixed
 * after that, alive as long as the seat.
 */
const struct object *flight_object(const struct flight_reader *reader);
/* Once there is a head. */
enum flight_verdict flight_verdict(const struct flight_reader *reader);
/* The status of the response that it is made of, with what was stored before. */
unsigned flight_answered(const struct flight_reader *reader);
/* What the head has for the leader alone; empty for the others. */
struct span flight_extra(const struct flight_reader *reader);
/* On the chunks that GOT_STORED speaks of; borrowed. NULL if this flight stores nothing. */
struct lease *flight_lease(const struct flight_reader *reader);

enum flight_got {
	FLIGHT_GOT_BYTES,  /* *ret_piece is in memory: flight_piece_done() when sent */
	FLIGHT_GOT_STORED, /* it is in the store, in a chunk of *ret_piece */
	FLIGHT_GOT_WAIT,   /* not there yet; the reader will be woken */
	FLIGHT_GOT_END,	   /* all that this flight fetches ends before this byte */
	FLIGHT_GOT_CUT,	   /* this byte will not come: upstream failed, or this reader lagged */
};

struct flight_piece {
	struct span
		bytes; /* BYTES: they; STORED: p is NULL, n is how many are there from `from` on */
	struct chunk *chunk; /* BYTES: a reference */
	uint64_t id;	     /* STORED: for store_chunk(), leased as long as the seat is taken */
	uint32_t index;
};

/* What can be had at byte `from`. Also says that the bytes before it are not needed any more. */
enum flight_got flight_read(struct flight_reader *reader, uint64_t from,
			    struct flight_piece *ret_piece);
void flight_piece_done(struct flight_piece *piece);

/*
 * Complete length of the object, or -1 as long as it is unknown (grows into knowledge at the end).
 */
int64_t flight_length(const struct flight_reader *reader);

/*
 * Gives the seat up. The flight goes on while readers remain, or when finishing is the cheaper end;
 * else its producer is told to stop and what is whole is kept as a partial object.
 */
void flight_leave(struct flight_reader *reader);

/* The flight of a seat (borrowed), for starting its fetch. */
struct flight *flight_of(const struct flight_reader *reader);
struct flight *flight_ref(struct flight *flight);
void flight_unref(struct flight **flight);

/* ---- the producer ---------------------------------------------------------------------------- */

struct flight_producer {
	/* There may be room again, or nobody wants the flight any more. */
	void (*wake)(struct flight_producer *producer);
};

/*
 * Makes the caller the producer; until flight_end() the flight stays. Each flight that was begun must get
 * one, or be ended by flight_abandon().
 */
void flight_produce(struct flight *flight, struct flight_producer *producer);

/* No fetch is needed (a second look found a hit) or possible: all readers get REDO. No producer yet. */
void flight_abandon(struct flight *flight);

/* How many read it or wait for it now. */
unsigned flight_seats(struct flight *flight);

/* False once nobody waits for the rest and finishing is not worth it: stop, flight_end(-ECANCELED). */
bool flight_wanted(struct flight *flight);

struct flight_head {
	enum flight_verdict verdict;
	struct object *object; /* from object_dup(); taken */
	uint64_t first; /* where the body begins in the object: a multiple of the chunk size */
	int64_t length; /* of the whole object, -1: unknown */
	/*
	 * Not 0: this stored object (same validator; leased by the caller) gets the chunks, or is what was
	 * confirmed. Else STORE makes a new one.
	 */
	uint64_t store_id;
	const struct cache_key
		*key; /* STORE: from now on it is found under this; NULL: as before */
	bool uncollapsed; /* LEADER: nor will later responses be: begin no flight in common for a while */
	struct span extra; /* for the leader alone: lines that are not stored; copied */
	/* STORE: what is whole may be kept if the flight fails (there is a strong validator). */
	bool partial;
	/* REFRESHED: what was confirmed is not the store's yet, another flight brings it: nothing is written. */
	bool unstored;
	uint16_t answered; /* the status of the response that this is made of; 0: the object's */
};

/* Publishes the head. Takes head->object. After REFRESHED follows flight_end(0). */
void flight_head(struct flight *flight, struct flight_head *head, struct now now);

/*
 * Room for body bytes: at least 1 byte at *ret_room, *ret_n bytes; or -EAGAIN (no memory for now: stop
 * reading the socket; a wake-up follows, but call again after limits.lag_ms at the latest), -ENOMEM.
 */
MUST_USE int flight_buffer(struct flight *flight, struct now now, uint8_t **ret_room,
			   size_t *ret_n);

/* The first n bytes of that room are body now. */
void flight_publish(struct flight *flight, size_t n);

/* Bytes published so far, as an offset into the object: where a resumed fetch has to go on. */
uint64_t flight_published(struct flight *flight);

/*
 * The end: 0 (complete) or -errno, of which -ECANCELED is REDO to whoever joined meanwhile. The producer is
 * not woken and must not touch the flight any more (its reference goes).
 */
void flight_end(struct flight *flight, int rc);

#endif
