/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rooms of fetching ahead share: sync.c (when), run.c (a run's stages), read.c (what the indexes say), join.c
 * (what a generation lacks), publish.c (its end; publication.h is what imports use, too), history.c (what is
 * remembered), holding.c (what devices have stays in demand), report.c and devices.c (what is told).
 */
#ifndef TARN_PROXY_SYNC_SYNC_PRIV_H
#define TARN_PROXY_SYNC_SYNC_PRIV_H

#define HASH_NONFATAL_OOM 1
#include <sys/queue.h>
#include <uthash.h>

#include "cache/manifest.h"
#include "firmware/index/index.h"
#include "proxy/config.h"
#include "proxy/generation.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/sync/intake.h"
#include "proxy/sync/pull.h"
#include "proxy/sync/sync.h"

#define SYNC_ITEMS_MAX	 20000 /* of a run */
#define SYNC_PULLS	 4     /* at once; with a rate: 1 */
#define SYNC_ROUNDS	 8     /* an index that changes again and again */
#define SYNC_HISTORY_MAX 50
#define SYNC_NUMBERS_MAX 200 /* publications that are remembered, of a vendor */
#define SYNC_SENT_MAX	 200

/* An index or object of a run. */
struct item {
	UT_hash_handle hh; /* by base: the key without query and variant */
	char *key, *host;
	size_t base_n;
	bool member;	   /* of the generation that is published */
	bool index, asked; /* asked: by a device; else it takes the place of something that was */
	bool in_old, in_new;
	bool done;
	struct pull *pull;
	struct run *run;
	struct pull_expect expect;
	const struct item *takes; /* whose place it takes; NULL: nobody's */
	uint64_t began;		  /* mono_ms, of the pull */
	/* what came of it */
	enum pull_outcome outcome;
	char *found_key;
	uint64_t id, marker_id, id_before;
	int64_t size;
};

/* X(NAME, "name", what is done) */
#define RUN_STAGES(X)                                                                              \
	X(INDEXES, "indexes", "the indexes in demand are looked at")                               \
	X(READ, "reading", "what they name is read")                                               \
	X(OBJECTS, "objects", "objects are fetched")                                               \
	X(RECHECK, "rechecking", "have the indexes changed meanwhile?")                            \
	X(PUBLISH, "publishing", "the generation is published")

enum run_stage {
#define X(name, text, help) RUN_##name,
	RUN_STAGES(X)
#undef X
};

struct run {
	struct vendor *vendor;
	struct config *config;
	enum run_stage stage;
	uint64_t generation;
	uint64_t number; /* of the run: {run} */
	const char *why;
	int64_t began_wall;
	uint64_t began;
	unsigned round, pulls;
	bool cancelled, mismatch, publishing;
	bool joining; /* the indexes are those of the published generation: what it lacks joins it */
	int published; /* what the writer said */
	char trouble[160];
	struct item **items;
	size_t n, room, next;
	struct item *by_base;
	uint64_t bytes, objects; /* fetched */
	struct event rest;
	uint64_t rests_until; /* mono_ms: so that [sync] rate is kept from one object to the next */
	struct reading *reading;
	struct publication *publication;
	struct mail mail; /* from the writer's thread */
	struct sync *sync;
};

struct vendor {
	LIST_ENTRY(vendor) link;
	char name[DEMAND_NAME_MAX];
	bool gone;     /* not in the configuration any more */
	bool carrying; /* an import is on */
	bool paused, due;
	const char *why;
	int64_t last;	  /* wall seconds of the last run's beginning; 0: none */
	uint64_t next_at; /* mono_ms */
	uint64_t due_at;  /* mono_ms; if due */
	uint64_t ended;	  /* mono_ms: its last run; 0: none */
	unsigned failures;
	unsigned cuts;	   /* how often in a row a run was cut off by the end of the program */
	bool stopped;	   /* the program ends in the middle of its run */
	char trouble[160]; /* of the last run; "" if there was none */
	struct {
		uint64_t number;
		int64_t at_ms;
	} published[SYNC_NUMBERS_MAX]; /* oldest first */
	unsigned published_n;
};

struct sync {
	struct worker *control;
	struct store_reader *reader;
	struct event timer;
	struct mail changed;
	LIST_HEAD(, vendor) vendors;
	uint32_t objects_seen; /* in demand, when it was last looked who lacks some */
	struct run *run;       /* one at a time */
	bool stopping;
	json_t *history; /* newest last */
	json_t *sent;
};

/* ---- sync.c */
void sync_run_over(struct sync *sync, struct vendor *vendor);

/* ---- run.c */
MUST_USE int run_begin(struct sync *sync, struct vendor *vendor, const char *why);
void run_go_on(struct run *run); /* starts what may be started, or goes to the next stage */
void run_cancel(struct run *run);
void run_free(struct run **run);
/* It is over: "done", "unchanged", "failed", "cancelled". Frees it. */
void run_end(struct run *run, const char *result);
__attribute__((format(printf, 2, 3))) void run_trouble(struct run *run, const char *format, ...);
/* An item of this key, which is new. NULL without memory or room. */
struct item *run_item(struct run *run, struct span key, struct span host, bool index, bool asked);
struct item *run_find(struct run *run, struct span base);

/* ---- read.c: then run_read() */
void reading_begin(struct run *run);
void reading_free(struct reading **reading);
void run_read(struct run *run);

/* ---- publish.c */
void run_publish(struct run *run);

/* ---- join.c */
/* Has a device asked for an object that is not in the vendor's published generation? */
bool join_wanted(struct sync *sync, const struct vendor *vendor);
/* The indexes have not changed: true: objects are to join the generation, and the run is about these alone. */
bool join_begin(struct run *run);
/* To the writer, instead of a publication. As manifest_extend(); -ENOENT: none of them can join. */
MUST_USE int join_write(struct run *run, writer_done_f *done);

/* ---- history.c */
void history_load(struct sync *sync);
/* Of one that is new here. */
void history_load_vendor(struct sync *sync, struct vendor *vendor);
void history_add(struct run *run, const char *result);
void history_add_carried(struct sync *sync, const struct sync_carried *carried);
void history_published(struct vendor *vendor, uint64_t number, int64_t at_ms);
/* holding.c: before a run looks at what is in demand. */
void holding_note(struct sync *sync, const char *profile);
/* The runs; a vendor is saved by itself. */
void history_save(struct sync *sync);
void history_save_vendor(struct sync *sync, const struct vendor *vendor);

#endif
