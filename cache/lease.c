/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: a counted entry for each id in use, in a sharded hash table.
 *
 * Who owns what: an entry belongs to its holders and goes with the last one. Each shard's lock covers
 * its lists and the counts of their entries; it is held for a few instructions.
 *
 * The table has a fixed size: most leases are the only one on their id and live for one response, so they must come
 * and go for the price of their own memory. Ids are ours, one after the other: no device chooses where one stands.
 *
 * Why nobody gets bytes that are going: a lease on a stored id is taken inside a read transaction that
 * saw the record. The writer removes the record, commits, waits until every reader has been outside
 * a lookup (store.c, the epochs), and only then looks here: no new lease is possible any more.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cache/lease_priv.h"
#include "firmware/base/stat.h"

#define LEASE_SHARDS 64
#define LEASE_LISTS  64 /* of a shard */

struct lease {
	uint64_t id;
	uint64_t refs; /* guarded by the shard's lock */
	struct lease_table *table;
	LIST_ENTRY(lease) link;
};

LIST_HEAD(leases, lease);

struct lease_shard {
	pthread_mutex_t lock;
	struct leases lists[LEASE_LISTS];
} __attribute__((aligned(64)));

struct lease_table {
	struct lease_shard shards[LEASE_SHARDS];
	_Atomic uint64_t count;
};

int lease_table_new(struct lease_table **ret_table)
{
	struct lease_table *table = aligned_alloc(64, sizeof(*table));

	if (!table)
		return -ENOMEM;
	memset(table, 0, sizeof(*table));
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		CHECK_OK(pthread_mutex_init(&table->shards[i].lock, NULL));
	*ret_table = table;
	return 0;
}

void lease_table_free(struct lease_table **table)
{
	struct lease_table *t = *table;

	if (!t)
		return;
	CHECK(atomic_load(&t->count) == 0);
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		CHECK_OK(pthread_mutex_destroy(&t->shards[i].lock));
	free(t);
	*table = NULL;
}

static struct lease_shard *shard_of(struct lease_table *table, uint64_t id)
{
	return &table->shards[id % LEASE_SHARDS];
}

static struct leases *list_of(struct lease_shard *shard, uint64_t id)
{
	return &shard->lists[id / LEASE_SHARDS % LEASE_LISTS];
}

static struct lease *shard_find(struct lease_shard *shard, uint64_t id)
{
	struct lease *lease;

	LIST_FOREACH(lease, list_of(shard, id), link)
	if (lease->id == id)
		break;
	return lease;
}

static struct lease *shard_add(struct lease_shard *shard, struct lease_table *table, uint64_t id)
{
	struct lease *lease = malloc(sizeof(*lease));

	if (!lease)
		return NULL;
	lease->id = id;
	lease->refs = 1;
	lease->table = table;
	LIST_INSERT_HEAD(list_of(shard, id), lease, link);
	atomic_fetch_add(&table->count, 1);
	STAT_INC(STAT_LEASES_OPEN);
	return lease;
}

struct lease *lease_take(struct lease_table *table, uint64_t id)
{
	struct lease_shard *shard = shard_of(table, id);
	struct lease *lease;

	pthread_mutex_lock(&shard->lock);
	lease = shard_find(shard, id);
	if (lease)
		lease->refs++;
	else
		lease = shard_add(shard, table, id);
	pthread_mutex_unlock(&shard->lock);
	return lease;
}

bool lease_held(struct lease_table *table, uint64_t id)
{
	struct lease_shard *shard = shard_of(table, id);
	struct lease *lease;

	pthread_mutex_lock(&shard->lock);
	lease = shard_find(shard, id);
	pthread_mutex_unlock(&shard->lock);
	return lease;
}

uint64_t lease_count(const struct lease_table *table)
{
	return atomic_load(&table->count);
}

uint64_t lease_id(const struct lease *lease)
{
	return lease->id;
}

struct lease *lease_ref(struct lease *lease)
{
	struct lease_shard *shard = shard_of(lease->table, lease->id);

	pthread_mutex_lock(&shard->lock);
	CHECK(lease->refs > 0);
	lease->refs++;
	pthread_mutex_unlock(&shard->lock);
	return lease;
}

void lease_unref(struct lease **lease)
{
	struct lease *l = *lease;
	struct lease_shard *shard;

	*lease = NULL;
	if (!l)
		return;
	shard = shard_of(l->table, l->id);
	pthread_mutex_lock(&shard->lock);
	CHECK(l->refs > 0);
	if (--l->refs == 0) {
		LIST_REMOVE(l, link);
		atomic_fetch_sub(&l->table->count, 1);
		STAT_DEC(STAT_LEASES_OPEN);
	} else {
		l = NULL;
	}
	pthread_mutex_unlock(&shard->lock);
	free(l);
}
