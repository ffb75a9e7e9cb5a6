/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers: who is inside a lookup, since when, and what they found broken.
 *
 * A reader shows the store's epoch while it is inside and 0 while it is outside. The writer counts
 * the epoch up after each commit; when every reader shows 0 or a newer one, nobody is left who could see what that
 * commit removed. The list of readers and the damage are under the store's lock; going in and out takes none.
 */
#include <stdlib.h>

#include "cache/store_priv.h"
#include "firmware/base/log.h"

int store_reader_new(struct store *store, struct store_reader **ret_reader)
{
	struct store_reader *reader = aligned_alloc(64, sizeof(*reader));
	int rc = 0;

	if (!reader)
		return -ENOMEM;
	memset(reader, 0, sizeof(*reader));
	reader->store = store;
	pthread_mutex_lock(&store->lock);
	if (store->readers_n >= store->readers_max) {
		rc = -EUSERS;
	} else {
		store->readers_n++;
		reader->next = store->readers;
		store->readers = reader;
	}
	pthread_mutex_unlock(&store->lock);
	if (rc)
		free(reader);
	else
		*ret_reader = reader;
	return rc;
}

void store_reader_free(struct store_reader **reader)
{
	struct store_reader *r = *reader;
	struct store_reader **at;

	if (!r)
		return;
	pthread_mutex_lock(&r->store->lock);
	for (at = &r->store->readers; *at != r; at = &(*at)->next)
		CHECK(*at);
	*at = r->next;
	r->store->readers_n--;
	if (r->chunks)
		mdb_cursor_close(r->chunks);
	if (r->txn)
		mdb_txn_abort(r->txn);
	pthread_mutex_unlock(&r->store->lock);
	free(r->scratch);
	free(r);
	*reader = NULL;
}

int store_enter(struct store_reader *reader)
{
	struct store *store = reader->store;
	int rc;

	/*
	 * Sequentially consistent, and before the transaction: a writer that does not see this store has
	 * committed (or shown OFFLINE) before, so what follows sees that. The lease table is replaced after
	 * OFFLINE is shown: one that was read before a look that found it not so is the right one.
	 */
	atomic_store(&reader->epoch, atomic_load(&store->epoch));
	reader->leases = atomic_load(&store->leases);
	if (UNLIKELY(atomic_load(&store->state) == STORE_OFFLINE)) {
		atomic_store(&reader->epoch, 0);
		return -EIO;
	}
	rc = LIKELY(reader->txn) ? mdb_txn_renew(reader->txn)
				 : mdb_txn_begin(store->db.env, NULL, MDB_RDONLY, &reader->txn);
	if (UNLIKELY(rc)) {
		atomic_store(&reader->epoch, 0);
		return store_read_failed(store, rc);
	}
	return 0;
}

void store_leave(struct store_reader *reader)
{
	mdb_txn_reset(reader->txn);
	atomic_store_explicit(&reader->epoch, 0, memory_order_release);
}

void store_reader_crashed(struct store_reader *reader)
{
	if (reader && atomic_load(&reader->epoch))
		store_note_crash(reader->store);
}

uint64_t store_epoch_next(struct store *store)
{
	return atomic_fetch_add(&store->epoch, 1) + 1;
}

bool store_epoch_over(struct store *store, uint64_t epoch)
{
	bool over = true;

	pthread_mutex_lock(&store->lock);
	for (struct store_reader *r = store->readers; over && r; r = r->next) {
		uint64_t at = atomic_load(&r->epoch);

		over = at == 0 || at >= epoch;
	}
	pthread_mutex_unlock(&store->lock);
	return over;
}

/* ---- damage ---------------------------------------------------------------------------------- */

void store_damaged(struct store *store, const struct store_damage *damage)
{
	pthread_mutex_lock(&store->lock);
	/* When there is no room it is found again at the next use. */
	if (store->damage_n < STORE_DAMAGE_MAX)
		store->damage[store->damage_n++] = *damage;
	pthread_mutex_unlock(&store->lock);
}

unsigned store_damage_take(struct store *store, struct store_damage *ret_damage, unsigned max)
{
	unsigned n;

	pthread_mutex_lock(&store->lock);
	n = store->damage_n < max ? store->damage_n : max;
	store->damage_n -= n;
	memcpy(ret_damage, store->damage + store->damage_n, n * sizeof(*ret_damage));
	pthread_mutex_unlock(&store->lock);
	return n;
}

int store_read_failed(struct store *store, int mdb_rc)
{
	int rc = db_error(mdb_rc);

	if (rc == -EBADMSG || rc == -ENOTRECOVERABLE) {
		atomic_store(&store->suspect, rc);
		LOG(LOG_L_ERROR, "store.read", "rc=%d lmdb=%d", rc, mdb_rc);
	}
	return rc;
}
