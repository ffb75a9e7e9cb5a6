/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vendor addresses that are known.
 *
 * Owns a table by address, in the order of being seen (uthash keeps it: who is seen again moves to the end), and
 * a timer that saves a while after the first change. The row, all numbers big-endian:
 *
 *	u32 version (1) | u32 count | count x { 16 bytes in6_addr (IPv4 as ::ffff:a.b.c.d), u64 until: ms since 1970 }
 *
 * Wall time, since it outlives a boot; a clock that jumped back makes entries live longer, by KNOWN_KEEP_S
 * at most (they are cut when read).
 */
#include "proxy/known.h"

#include <endian.h>
#include <stdlib.h>
#include <uthash.h>

#include "cache/store.h"
#include "cache/writer.h"
#include "firmware/base/log.h"
#include "firmware/heritage.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define ROW	   SPAN("vendor-addresses")
#define VERSION	   1
#define HEAD_BYTES 8
#define ONE_BYTES  24
#define SAVE_MS	   5000
#define TELL_BATCH 64 /* at once, so that the keeper's socket has room */
#define TELL_MS	   50

_Static_assert(HEAD_BYTES + KNOWN_MAX * ONE_BYTES <= 65536, "fits a row of state");

struct entry {
	UT_hash_handle hh;
	uint8_t addr[16];
	int64_t until_ms;
	bool untold; /* read from the row, the owner does not know yet */
};

struct known {
	struct worker *control;
	struct entry *entries;
	known_f *tell;
	void *arg;
	struct event save, tell_event;
	bool changed;
};

/* Seen: to the end of the table. 0 or -ENOMEM. */
static int entry_put(struct known *known, const uint8_t addr[16], int64_t until_ms)
{
	struct entry *entry;

	HASH_FIND(hh, known->entries, addr, 16, entry);
	if (entry) {
		HASH_DEL(known->entries, entry);
	} else if (HASH_COUNT(known->entries) >= KNOWN_MAX) {
		entry = known->entries;
		HASH_DEL(known->entries, entry);
	} else {
		entry = malloc(sizeof(*entry));
		if (!entry)
			return -ENOMEM;
	}
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->addr, addr, 16);
	entry->until_ms = until_ms;
	HASH_ADD(hh, known->entries, addr, sizeof(entry->addr), entry);
	return 0;
}

/* ---- the row ----------------------------------------------------------------------------------- */

static void put_be64(uint8_t *p, uint64_t value)
{
	value = htobe64(value);
	memcpy(p, &value, sizeof(value));
}

static void put_be32(uint8_t *p, uint32_t value)
{
	value = htobe32(value);
	memcpy(p, &value, sizeof(value));
}

static void save(struct known *known)
{
	struct writer *writer = known->control->proxy->writer;
	int64_t now = worker_now(known->control)->wall_ms;
	struct entry *entry, *next;
	uint32_t n = 0;
	uint8_t *row;
	int rc;

	if (!known->changed || !writer)
		return;
	row = malloc(HEAD_BYTES + HASH_COUNT(known->entries) * (size_t)ONE_BYTES);
	if (!row)
		return;
	HASH_ITER(hh, known->entries, entry, next)
	{
		uint8_t *one = row + HEAD_BYTES + n * (size_t)ONE_BYTES;

		if (entry->until_ms <= now) {
			HASH_DEL(known->entries, entry);
			free(entry);
			continue;
		}
		memcpy(one, entry->addr, 16);
		put_be64(one + 16, (uint64_t)entry->until_ms);
		n++;
	}
	put_be32(row, VERSION);
	put_be32(row + 4, n);
	rc = writer_put_state(writer, ROW, span_make(row, HEAD_BYTES + n * (size_t)ONE_BYTES), NULL,
			      NULL);
	if (rc == 0)
		known->changed = false;
	else
		LOG(LOG_L_INFO, "known.not_saved", "error=%s", strerrorname_np(-rc));
	free(row);
}

static void save_run(evutil_socket_t fd, short what, void *arg)
{
	struct known *known = arg;

	(void)fd;
	(void)what;
	save(known);
	/* The store may be away for a while. */
	if (known->changed)
		CHECK_OK(event_add(&known->save, worker_timeout(known->control, SAVE_MS)));
}

static int row_parse(struct known *known, struct span row)
{
	int64_t now = worker_now(known->control)->wall_ms;
	struct cursor cursor = cursor_make(row.p, row.n);
	uint32_t version, count;
	uint64_t until;
	struct entry *entry;
	struct span bytes;

	if (cursor_u32be(&cursor, &version) < 0 || version != VERSION ||
	    cursor_u32be(&cursor, &count) < 0 || count > KNOWN_MAX)
		return -EBADMSG;
	for (; count; count--) {
		if (cursor_bytes(&cursor, 16, &bytes) < 0 || cursor_u64be(&cursor, &until) < 0)
			return -EBADMSG;
		if ((int64_t)until <= now)
			continue;
		if ((int64_t)until > now + HERITAGE_TTL_MAX * INT64_C(1000))
			until = (uint64_t)now + KNOWN_KEEP_S * UINT64_C(1000);
		if (entry_put(known, (const uint8_t *)bytes.p, (int64_t)until) < 0)
			return -ENOMEM;
		HASH_FIND(hh, known->entries, bytes.p, 16, entry);
		entry->untold = true;
	}
	return 0;
}

static void row_read(struct known *known)
{
	size_t size = HEAD_BYTES + KNOWN_MAX * ONE_BYTES, n;
	struct store_reader *reader;
	uint8_t *row = malloc(size);
	int rc;

	if (!row)
		return;
	if (store_reader_new(known->control->proxy->store, &reader) == 0) {
		rc = store_state_get(reader, ROW, row, size, &n);
		store_reader_free(&reader);
		if (rc == 0)
			rc = row_parse(known, span_make(row, n));
		if (rc == -EBADMSG || rc == -ENOSPC)
			LOG(LOG_L_WARN, "known.bad_row", "bytes=%zu", n);
	}
	free(row);
	LOG(LOG_L_INFO, "known.read", "addresses=%u", HASH_COUNT(known->entries));
}

/* Tells the owner what was read, a batch at a time. */
static void tell_run(evutil_socket_t fd, short what, void *arg)
{
	struct known *known = arg;
	int64_t now = worker_now(known->control)->wall_ms;
	struct entry *entry, *next;
	struct addr addr;
	unsigned n = 0;

	(void)fd;
	(void)what;
	HASH_ITER(hh, known->entries, entry, next)
	{
		if (!entry->untold || entry->until_ms <= now)
			continue;
		if (n++ == TELL_BATCH) {
			CHECK_OK(event_add(&known->tell_event,
					   worker_timeout(known->control, TELL_MS)));
			return;
		}
		entry->untold = false;
		addr_from_in6(entry->addr, &addr);
		known->tell(known->arg, &addr, (uint32_t)((entry->until_ms - now) / 1000));
	}
}

/* ---- its life ---------------------------------------------------------------------------------- */

int known_new(struct worker *control, known_f *tell, void *arg, struct known **ret_known)
{
	struct known *known = calloc(1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	known->control = control;
	known->tell = tell;
	known->arg = arg;
	CHECK_OK(evtimer_assign(&known->tell_event, control->base, tell_run, known));
	CHECK_OK(evtimer_assign(&known->save, control->base, save_run, known));
	row_read(known);
	tell_run(-1, 0, known);
	*ret_known = known;
	return 0;
}

void known_add(struct known *known, const struct addr *addr, uint32_t ttl)
{
	uint32_t keep = ttl > KNOWN_KEEP_S ? ttl : KNOWN_KEEP_S;
	uint8_t bytes[16];

	if (keep > HERITAGE_TTL_MAX)
		keep = HERITAGE_TTL_MAX;
	addr_to_in6(addr, bytes);
	if (entry_put(known, bytes, worker_now(known->control)->wall_ms + keep * INT64_C(1000)) < 0)
		return;
	if (!known->changed)
		CHECK_OK(event_add(&known->save, worker_timeout(known->control, SAVE_MS)));
	known->changed = true;
}

size_t known_count(const struct known *known)
{
	return HASH_COUNT(known->entries);
}

void known_free(struct known **ptr)
{
	struct known *known = *ptr;
	struct entry *entry, *next;

	if (!known)
		return;
	save(known);
	event_del(&known->save);
	event_del(&known->tell_event);
	HASH_ITER(hh, known->entries, entry, next)
	{
		HASH_DEL(known->entries, entry);
		free(entry);
	}
	free(known);
	*ptr = NULL;
}
