/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer's queue: what anybody may ask of it. Each function makes a piece of work that holds all it needs
 * (a copy of the record, a reference of the chunk, a lease on the id) and queues it. Any thread; the lock
 * is held for a few instructions.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "cache/writer_priv.h"
#include "firmware/base/stat.h"

struct op *op_new(enum op_type type, size_t n, writer_done_f *done, void *arg)
{
	struct op *op = calloc(1, sizeof(*op) + n);

	if (!op)
		return NULL;
	op->type = type;
	op->n = n;
	op->done = done;
	op->arg = arg;
	return op;
}

static void op_free(struct op *op)
{
	lease_unref(&op->lease);
	chunk_unref(&op->chunk);
	free(op);
}

static void op_answer(struct op *op, int rc)
{
	bool taken = op->type != OP_DROP; /* which the writer gives itself */

	if (op->done)
		op->done(op->arg, rc);
	op_free(op);
	if (taken)
		STAT_INC(STAT_STORE_ANSWERED);
}

void ops_answer(struct op_list *ops, const int *rc)
{
	while (!STAILQ_EMPTY(ops)) {
		struct op *op = STAILQ_FIRST(ops);

		STAILQ_REMOVE_HEAD(ops, link);
		op_answer(op, rc ? *rc : op->rc);
	}
}

int op_queue(struct writer *w, struct op *op)
{
	bool wake;

	if (store_state(w->store) != STORE_SERVING) {
		op_free(op);
		STAT_INC(STAT_STORE_DROPPED);
		return WRITER_REFUSED;
	}
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->queue, op, link);
	w->queue_bytes += op->cost;
	w->queue_ops++;
	wake = w->queue_ops == 1 || op->type == OP_FLUSH ||
	       w->queue_bytes >= w->store->commit_bytes;
	w->hurry |= op->type == OP_FLUSH;
	STORE_FIGURE_SET(w->store, queue_bytes, w->queue_bytes);
	STORE_FIGURE_SET(w->store, queue_ops, w->queue_ops);
	STAT_INC(STAT_STORE_TAKEN);
	pthread_mutex_unlock(&w->lock);
	if (wake)
		pthread_cond_signal(&w->wake);
	return 0;
}

int writer_put_chunk(struct writer *w, uint64_t id, uint32_t index, struct chunk *chunk,
		     writer_done_f *done, void *arg)
{
	struct op *op = op_new(OP_CHUNK, 0, done, arg);

	if (!op)
		return -ENOMEM;
	CHECK(chunk->len > 0 && chunk->len <= CONFIG_CHUNK_BYTES);
	op->id = id;
	op->index = index;
	op->cost = chunk->len;
	/* Here and not in the writer's thread: the bytes have just arrived, and are still in this core's caches. */
	op->sum = XXH3_64bits(chunk->data, chunk->len);
	op->chunk = chunk_ref(chunk);
	op->lease = lease_new(w->store, id);
	if (!op->lease) {
		op_free(op);
		return -ENOMEM;
	}
	return op_queue(w, op);
}

static int object_put(struct writer *w, enum op_type type, const struct object *object,
		      writer_done_f *done, void *arg)
{
	struct object o = *object;
	size_t n = object_record_size(object, object->body.n);
	struct cache_key key = key_of(object->key);
	struct op *op;
	int rc;

	if (object->body.n && !object_fits_inline(object, object->body.n))
		return -EMSGSIZE;
	op = op_new(type, n, done, arg);
	if (!op)
		return -ENOMEM;
	o.map = span_make(NULL, 0);
	o.flags &= ~(uint32_t)OBJECT_COMPLETE;
	rc = object_encode(&o, op->data, n);
	if (rc == 0) {
		memcpy(op->hash, key.hash, sizeof(op->hash));
		op->id = object->id;
		op->cost = n;
		op->lease = lease_new(w->store, object->id);
		rc = op->lease ? 0 : -ENOMEM;
	}
	if (rc) {
		op_free(op);
		return rc;
	}
	return op_queue(w, op);
}

int writer_put_object(struct writer *w, const struct object *object, writer_done_f *done, void *arg)
{
	return object_put(w, OP_PUT, object, done, arg);
}

int writer_update_object(struct writer *w, const struct object *object, writer_done_f *done,
			 void *arg)
{
	return object_put(w, OP_UPDATE, object, done, arg);
}

int writer_remove(struct writer *w, const struct cache_key *key, uint64_t id, writer_done_f *done,
		  void *arg)
{
	struct op *op = op_new(OP_REMOVE, key->text.n, done, arg);

	if (!op)
		return -ENOMEM;
	op->id = id;
	memcpy(op->hash, key->hash, sizeof(op->hash));
	memcpy(op->data, key->text.p, key->text.n);
	return op_queue(w, op);
}

int writer_put_state(struct writer *w, struct span name, struct span value, writer_done_f *done,
		     void *arg)
{
	struct op *op;

	if (name.n == 0 || name.n > WRITER_NAME_MAX || value.n > WRITER_STATE_MAX)
		return -EINVAL;
	op = op_new(OP_STATE, name.n + value.n, done, arg);
	if (!op)
		return -ENOMEM;
	op->split = name.n;
	op->cost = op->n;
	memcpy(op->data, name.p, name.n);
	if (value.n)
		memcpy(op->data + name.n, value.p, value.n);
	return op_queue(w, op);
}

int writer_flush(struct writer *w, writer_done_f *done, void *arg)
{
	struct op *op = op_new(OP_FLUSH, 0, done, arg);

	return op ? op_queue(w, op) : -ENOMEM;
}

void writer_hurry(struct writer *w)
{
	bool wake;

	pthread_mutex_lock(&w->lock);
	wake = !w->hurry && w->queue_ops;
	w->hurry |= wake;
	pthread_mutex_unlock(&w->lock);
	if (wake)
		pthread_cond_signal(&w->wake);
}

void queue_take(struct writer *w, struct op_list *ops)
{
	uint64_t bytes = 0, n = 0;

	pthread_mutex_lock(&w->lock);
	while (!STAILQ_EMPTY(&w->queue) && n < w->store->commit_ops &&
	       bytes < w->store->commit_bytes) {
		struct op *op = STAILQ_FIRST(&w->queue);

		STAILQ_REMOVE_HEAD(&w->queue, link);
		STAILQ_INSERT_TAIL(ops, op, link);
		bytes += op->cost;
		n++;
	}
	w->queue_bytes -= bytes;
	w->queue_ops -= n;
	if (w->queue_ops == 0)
		w->hurry = false;
	STORE_FIGURE_SET(w->store, queue_bytes, w->queue_bytes);
	STORE_FIGURE_SET(w->store, queue_ops, w->queue_ops);
	STAT_SET(STAT_STORE_QUEUE_BYTES, w->queue_bytes);
	pthread_mutex_unlock(&w->lock);
}
