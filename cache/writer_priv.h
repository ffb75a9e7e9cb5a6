/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer as its two rooms see it: work.c (the queue and what goes in) and writer.c (what comes out).
 */
#ifndef CACHE_WRITER_PRIV_H
#define CACHE_WRITER_PRIV_H

#include <pthread.h>

#include "cache/batch.h"

struct writer {
	struct store *store;
	struct batch_base base;
	bool loaded; /* base is that of the environment that is open */

	/* the thread's own */
	uint64_t since; /* mono_ms when the oldest work was first seen; 0: there was none */
	uint64_t swept, committed, file_checked; /* mono_ms */
	uint64_t heal_at;
	uint32_t heal_ms;
	uint64_t full_until; /* mono_ms: how long the soft limit stays */
	bool set_aside;	     /* the file is broken: rename it before opening again */
	bool untrimmed;	     /* memory of a commit may go back to the kernel */

	pthread_mutex_t lock; /* the following */
	pthread_cond_t wake;
	struct op_list queue;
	uint64_t queue_bytes, queue_ops;
	bool hurry, stop, running;
	pthread_t thread;
};

/* A piece of work with n bytes at its end, or NULL. */
MUST_USE struct op *op_new(enum op_type type, size_t n, writer_done_f *done, void *arg);

/* Into the queue, or refused (then freed without an answer). */
MUST_USE int op_queue(struct writer *writer, struct op *op);

/* Answers each with *rc, or with its own if `rc` is NULL, and frees it. */
void ops_answer(struct op_list *ops, const int *rc);

/* Moves the next batch out of the queue. The writer's thread. */
void queue_take(struct writer *writer, struct op_list *ops);

#endif
