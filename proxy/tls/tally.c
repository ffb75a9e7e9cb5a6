/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed table. Rows are found, filled and given away under the lock, once a connection; bytes are added
 * without it by whoever has the row open: a row that is open is never given away, so its numbers are its host's.
 */
#include "proxy/tls/tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <xxhash.h>

struct tally_row {
	uint64_t hash; /* of host; looked at first */
	char host[PROFILE_HOST_MAX];
	uint64_t connections, refused;
	unsigned open;
	atomic_uint_fast64_t up, down;
};

struct tally {
	pthread_mutex_t lock;
	size_t n;
	struct tally_row rows[TALLY_HOSTS];
	struct tally_row others;
};

int tally_new(struct tally **ret_tally)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (!tally)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&tally->lock, NULL));
	*ret_tally = tally;
	return 0;
}

void tally_free(struct tally **tally)
{
	if (!*tally)
		return;
	CHECK_OK(pthread_mutex_destroy(&(*tally)->lock));
	free(*tally);
	*tally = NULL;
}

/* ---- rows: with the lock held ------------------------------------------------------------------ */

static uint64_t up_of(const struct tally_row *row)
{
	return atomic_load_explicit(&row->up, memory_order_relaxed);
}

static uint64_t down_of(const struct tally_row *row)
{
	return atomic_load_explicit(&row->down, memory_order_relaxed);
}

static struct tally_row *row_find(struct tally *tally, const char *host, uint64_t hash)
{
	for (size_t i = 0; i < tally->n; i++)
		if (tally->rows[i].hash == hash && strcmp(tally->rows[i].host, host) == 0)
			return &tally->rows[i];
	return NULL;
}

/* One that nobody uses and that least is lost with. NULL: all are in use. */
static struct tally_row *row_least(struct tally *tally)
{
	struct tally_row *least = NULL;

	for (size_t i = 0; i < tally->n; i++) {
		struct tally_row *row = &tally->rows[i];

		if (!row->open && (!least || down_of(row) < down_of(least)))
			least = row;
	}
	return least;
}

static void row_fold(struct tally_row *from, struct tally_row *to)
{
	to->connections += from->connections;
	to->refused += from->refused;
	tally_bytes(to, up_of(from), down_of(from));
}

static struct tally_row *row_get(struct tally *tally, const char *host)
{
	uint64_t hash = XXH3_64bits(host, strlen(host));
	struct tally_row *row = row_find(tally, host, hash);

	if (row)
		return row;
	if (tally->n < TALLY_HOSTS) {
		row = &tally->rows[tally->n++];
	} else {
		row = row_least(tally);
		if (!row)
			return &tally->others;
		row_fold(row, &tally->others);
	}
	memset(row, 0, sizeof(*row));
	row->hash = hash;
	CHECK_OK(span_copy(span_of(host), row->host, sizeof(row->host)));
	return row;
}

/* ---- counting ---------------------------------------------------------------------------------- */

struct tally_row *tally_open(struct tally *tally, const struct profile_match *match)
{
	struct tally_row *row;

	CHECK_OK(pthread_mutex_lock(&tally->lock));
	row = row_get(tally, match->host);
	row->connections++;
	row->open++;
	CHECK_OK(pthread_mutex_unlock(&tally->lock));
	return row;
}

void tally_bytes(struct tally_row *row, uint64_t up, uint64_t down)
{
	if (up)
		atomic_fetch_add_explicit(&row->up, up, memory_order_relaxed);
	if (down)
		atomic_fetch_add_explicit(&row->down, down, memory_order_relaxed);
}

/* Only a row that nobody has open becomes another host's. */
const char *tally_host(const struct tally_row *row)
{
	return row->host;
}

void tally_close(struct tally *tally, struct tally_row **row)
{
	if (!*row)
		return;
	CHECK_OK(pthread_mutex_lock(&tally->lock));
	CHECK((*row)->open > 0);
	(*row)->open--;
	CHECK_OK(pthread_mutex_unlock(&tally->lock));
	*row = NULL;
}

void tally_refused(struct tally *tally, const struct profile_match *match)
{
	CHECK_OK(pthread_mutex_lock(&tally->lock));
	row_get(tally, match->host)->refused++;
	CHECK_OK(pthread_mutex_unlock(&tally->lock));
}

/* ---- looking ----------------------------------------------------------------------------------- */

static struct tally_view view_of(const struct tally_row *row)
{
	struct tally_view view = {
		.connections = row->connections,
		.open = row->open,
		.refused = row->refused,
		.bytes_up = up_of(row),
		.bytes_down = down_of(row),
	};

	CHECK_OK(span_copy(span_of(row->host), view.host, sizeof(view.host)));
	return view;
}

static void view_add(struct tally_view *sum, const struct tally_view *view)
{
	sum->connections += view->connections;
	sum->open += view->open;
	sum->refused += view->refused;
	sum->bytes_up += view->bytes_up;
	sum->bytes_down += view->bytes_down;
}

/* Bytes, then refusals; then by name, so that the order is stable. */
static int by_bytes(const void *a, const void *b)
{
	const struct tally_view *x = a, *y = b;

	if (x->bytes_down != y->bytes_down)
		return x->bytes_down < y->bytes_down ? 1 : -1;
	if (x->refused != y->refused)
		return x->refused < y->refused ? 1 : -1;
	return strcmp(x->host, y->host);
}

size_t tally_top(struct tally *tally, struct tally_view *views, size_t n,
		 struct tally_view *ret_sum)
{
	struct tally_view all[TALLY_HOSTS], sum;
	size_t rows;

	CHECK_OK(pthread_mutex_lock(&tally->lock));
	rows = tally->n;
	sum = view_of(&tally->others);
	for (size_t i = 0; i < rows; i++)
		all[i] = view_of(&tally->rows[i]);
	CHECK_OK(pthread_mutex_unlock(&tally->lock));
	for (size_t i = 0; i < rows; i++)
		view_add(&sum, &all[i]);
	qsort(all, rows, sizeof(all[0]), by_bytes);
	if (n > rows)
		n = rows;
	memcpy(views, all, n * sizeof(all[0]));
	*ret_sum = sum;
	return n;
}
