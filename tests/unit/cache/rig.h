/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in a directory of its own, driven step by step: no thread, and time goes when the test says.
 * Also bodies that can be made again from a seed, to compare with. A failure aborts: CHECK.
 */
#ifndef TESTS_UNIT_CACHE_RIG_H
#define TESTS_UNIT_CACHE_RIG_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/writer.h"

#define RIG_UNUSED __attribute__((unused))
#define RIG_CHUNK  ((uint64_t)CONFIG_CHUNK_BYTES)
#define RIG_LIMIT  (64u << 20)

struct rig {
	char dir[64];
	struct store_config config;
	struct store *store;
	struct writer *writer;
	struct store_reader *reader;
	struct chunk_pool *pool;
	struct now now;
	unsigned done; /* answers so far */
	int rc;	       /* the last one */
};

RIG_UNUSED static void rig_done(void *arg, int rc)
{
	struct rig *rig = arg;

	rig->done++;
	rig->rc = rc;
}

RIG_UNUSED static void rig_open(struct rig *rig)
{
	CHECK_OK(store_open(&rig->config, rig->now, &rig->store));
	CHECK_OK(writer_new(rig->store, &rig->writer));
	CHECK_OK(store_reader_new(rig->store, &rig->reader));
}

RIG_UNUSED static void rig_close(struct rig *rig)
{
	store_reader_free(&rig->reader);
	writer_stop(&rig->writer);
	store_close(&rig->store);
}

/* A new directory and an open store with that limit. */
RIG_UNUSED static void rig_new(struct rig *rig, uint64_t limit)
{
	const char *tmp = getenv("TMPDIR");

	*rig = (struct rig){ .now = { .wall_ms = 1700000000000, .mono_ms = 1000 } };
	(void)snprintf(rig->dir, sizeof(rig->dir), "%.40s/tarn-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(rig->dir) != NULL);
	rig->config = (struct store_config){ .path = rig->dir, .limit = limit, .readers = 16 };
	CHECK_OK(chunk_pool_new(4096, &rig->pool));
	rig_open(rig);
}

/* Calls f for each file of the directory. */
RIG_UNUSED static unsigned rig_files(const struct rig *rig, const char *prefix)
{
	DIR *d = opendir(rig->dir);
	struct dirent *entry;
	unsigned n = 0;

	CHECK(d != NULL);
	while ((entry = readdir(d)) != NULL)
		n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

RIG_UNUSED static void rig_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	CHECK(d != NULL);
	while ((entry = readdir(d)) != NULL)
		(void)!unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	(void)!rmdir(dir);
}

RIG_UNUSED static void rig_free(struct rig *rig)
{
	if (rig->store)
		rig_close(rig);
	chunk_pool_free(&rig->pool);
	rig_remove(rig->dir);
}

RIG_UNUSED static const char *rig_file(const struct rig *rig, char *buf, size_t size,
				       const char *name)
{
	(void)snprintf(buf, size, "%s/%s", rig->dir, name);
	return buf;
}

/* One turn of the writer, `ms` later. */
RIG_UNUSED static uint32_t rig_step(struct rig *rig, uint64_t ms)
{
	rig->now = now_after(rig->now, ms);
	return writer_step(rig->writer, rig->now);
}

/* Commits all that waits; gives what the flush was answered with. */
RIG_UNUSED static int rig_commit(struct rig *rig)
{
	struct rig flush = { 0 };
	int rc = writer_flush(rig->writer, rig_done, &flush);

	for (int i = 0; rc == 0 && !flush.done && i < 1000; i++)
		rig_step(rig, 1);
	return rc ? rc : flush.done ? flush.rc : -ETIMEDOUT;
}

/* Lets doomed chunks go. */
RIG_UNUSED static void rig_sweep(struct rig *rig)
{
	for (int i = 0; i < 4; i++)
		rig_step(rig, 200);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

/* Bytes [from, from + n) of the body of this seed. Byte i depends on seed and i alone. */
RIG_UNUSED static void body_fill(uint64_t seed, uint64_t from, uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint64_t word = (from + i) / 8, in = (from + i) % 8;
		uint64_t x =
			seed * UINT64_C(0x9e3779b97f4a7c15) + word * UINT64_C(0xbf58476d1ce4e5b9);
		uint8_t bytes[8];
		size_t take = n - i < 8 - in ? n - i : 8 - in;

		x ^= x >> 31;
		x *= UINT64_C(0x94d049bb133111eb);
		x ^= x >> 29;
		memcpy(bytes, &x, 8);
		memcpy(buf + i, bytes + in, take);
		i += take;
	}
}

RIG_UNUSED static bool body_is(uint64_t seed, uint64_t from, struct span bytes)
{
	static _Thread_local uint8_t buf[CONFIG_CHUNK_BYTES];

	CHECK(bytes.n <= sizeof(buf));
	body_fill(seed, from, buf, bytes.n);
	return memcmp(buf, bytes.p, bytes.n) == 0;
}

RIG_UNUSED static struct object body_object(const char *key, uint64_t id, uint64_t length)
{
	return (struct object){
		.kind = OBJECT_RESPONSE,
		.status = 200,
		.id = id,
		.key = span_of(key),
		.fields = SPAN(
			"Content-Type: application/octet-stream\r\nETag: \"abcdef0123456789\"\r\n"),
		.etag = SPAN("\"abcdef0123456789\""),
		.requested = 1700000000,
		.received = 1700000000,
		.date = 1700000000,
		.last_modified = OBJECT_TIME_UNKNOWN,
		.expires = OBJECT_TIME_UNKNOWN,
		.lifetime = 3600,
		.length = (int64_t)length,
	};
}

RIG_UNUSED static int body_put_chunk(struct rig *rig, uint64_t id, uint32_t index, uint64_t length,
				     uint64_t seed)
{
	uint64_t from = index * RIG_CHUNK;
	struct chunk *chunk = chunk_new(rig->pool);
	int rc;

	CHECK(chunk != NULL && from < length);
	chunk->len = (uint32_t)(length - from < RIG_CHUNK ? length - from : RIG_CHUNK);
	body_fill(seed, from, chunk->data, chunk->len);
	rc = writer_put_chunk(rig->writer, id, index, chunk, rig_done, rig);
	chunk_unref(&chunk);
	return rc;
}

/* Queues a whole object; gives its id. */
RIG_UNUSED static uint64_t body_put(struct rig *rig, const char *key, uint64_t length,
				    uint64_t seed)
{
	uint64_t id = store_id_new(rig->store);
	struct object o = body_object(key, id, length);
	struct lease *lease = lease_new(rig->store, id);
	uint8_t small[OBJECT_RECORD_INLINE];

	CHECK(lease != NULL);
	if (length && object_fits_inline(&o, length)) {
		body_fill(seed, 0, small, length);
		o.body = span_make(small, length);
	} else {
		for (uint32_t i = 0; i * RIG_CHUNK < length; i++)
			(void)!body_put_chunk(rig, id, i, length, seed);
	}
	(void)!writer_put_object(rig->writer, &o, rig_done, rig);
	lease_unref(&lease);
	return id;
}

/* Is it stored under this key, complete and of these bytes? 0, -ENOENT, -ENODATA (holes), -EILSEQ (wrong). */
RIG_UNUSED static int body_check(struct store_reader *reader, const char *text, uint64_t length,
				 uint64_t seed)
{
	struct cache_key key = key_of(span_of(text));
	struct stored *stored;
	const struct object *o;
	int rc = store_lookup(reader, &key, &stored);

	if (rc)
		return rc;
	o = stored_object(stored);
	if ((uint64_t)o->length != length)
		rc = -EILSEQ;
	else if (!object_complete(o))
		rc = -ENODATA;
	if (rc == 0 && o->body.n)
		rc = o->body.n == length && body_is(seed, 0, o->body) ? 0 : -EILSEQ;
	for (uint32_t i = 0; rc == 0 && i < object_chunks(o); i++) {
		struct store_place place;

		rc = stored_chunk(reader, stored, i, &place);
		if (rc == 0 && !body_is(seed, i * RIG_CHUNK, place.bytes))
			rc = -EILSEQ;
	}
	stored_free(&stored);
	return rc;
}

#endif
